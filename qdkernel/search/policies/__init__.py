"""Policies that select parents and target cells."""

from qdkernel.search.policies.map_elites import Choice, Selector

__all__ = [
    "Choice",
    "Selector",
]
