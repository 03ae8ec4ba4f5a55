"""Behaviour of a kernel, measured from what was compiled, and the archive of elites."""

from qdkernel.archives._archive import ArchiveStats, Entry, KernelArchive, Placement
from qdkernel.archives._axes import AXES, BEHAVIOUR_VERSION, Axis, cell_name, neighbours, parse_cell, reachable_cells
from qdkernel.archives._behaviour import describe

__all__ = [
    "AXES",
    "BEHAVIOUR_VERSION",
    "ArchiveStats",
    "Axis",
    "Entry",
    "KernelArchive",
    "Placement",
    "cell_name",
    "describe",
    "neighbours",
    "parse_cell",
    "reachable_cells",
]
