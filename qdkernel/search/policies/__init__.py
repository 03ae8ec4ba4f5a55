"""Policies that select parents and target cells, and their registry."""

from __future__ import annotations

from collections.abc import Callable

from qdkernel.config import SelectionConfig
from qdkernel.core import Cell
from qdkernel.search.policies.base import Choice, Factor, SelectionPolicy, Situation
from qdkernel.search.policies.best_of_n import BestOfN
from qdkernel.search.policies.islands import Islands
from qdkernel.search.policies.map_elites import MapElites
from qdkernel.search.policies.mcts import TreeSearch
from qdkernel.search.policies.random_parents import RandomParents
from qdkernel.search.policies.softmax import Softmax

POLICIES: dict[str, Callable[[frozenset[Cell], SelectionConfig], SelectionPolicy]] = {
    "map-elites": MapElites,
    "best-of-n": BestOfN,
    "random-parents": RandomParents,
    "softmax": Softmax,
    "mcts": TreeSearch,
    "islands": Islands,
}
"""Constructors by the value of ``search`` in a configuration; of the reachable cells and the ``selection`` section."""

__all__ = [
    "POLICIES",
    "Choice",
    "Factor",
    "MapElites",
    "SelectionPolicy",
    "Situation",
]
