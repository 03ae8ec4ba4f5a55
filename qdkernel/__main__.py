"""``python -m qdkernel``."""

from qdkernel.cli import main

main()
