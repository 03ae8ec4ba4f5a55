"""Runs as training data and as C files."""

from qdkernel.export.c_files import write_elites
from qdkernel.export.jsonl import FORMATS

__all__ = [
    "FORMATS",
    "write_elites",
]
