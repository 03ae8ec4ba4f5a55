"""The formats of ``qdkernel export``, one module for each program that reads them, and their registry."""

from qdkernel.export.formats.c_files import write_elites
from qdkernel.export.formats.registry import FORMATS

__all__ = ["FORMATS", "write_elites"]
