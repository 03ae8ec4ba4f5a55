"""The command line: parses and dispatches; each command is a function that returns its exit code.

Heavy imports stay inside the functions, so that help is instant.
"""

from qdkernel.cli.entry import main

__all__ = ["main"]
