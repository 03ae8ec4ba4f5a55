"""The MAP-Elites archive: stores elites, decides replacement, counts. Analyzes no code."""

from qdkernel.archives.archive import CONTESTS, Entry, KernelArchive

__all__ = [
    "CONTESTS",
    "Entry",
    "KernelArchive",
]
