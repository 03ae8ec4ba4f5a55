"""The MAP-Elites archive: stores elites, decides replacement, counts. Analyzes no code."""

from qdkernel.archives.archive import Entry, KernelArchive

__all__ = [
    "Entry",
    "KernelArchive",
]
