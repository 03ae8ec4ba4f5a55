"""Parents and targets from the archive (MAP-Elites, Mouret and Clune 2015, arXiv 1504.04909), with directed targets.

Targets are chosen on purpose, as the directional emitters of quality-diversity search choose them: an empty cell
beside a filled one, a filled cell that is slow beside its neighbors, or no cell in particular.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from qdkernel.config import SelectionConfig
from qdkernel.core import Cell, cell_name, neighbours, parse_cell
from qdkernel.mutators import Elite
from qdkernel.search.policies.base import NO_CHOICE, Choice, Factor, Situation


class MapElites:
    """Counts how often each cell was aimed at, so that no cell is aimed at for ever.

    Args:
        reachable: cells this machine can fill.
        options: ``explore`` and ``improve`` are the probabilities of the first two kinds of target.
    """

    name = "map-elites"
    shows_history = True

    def __init__(self, reachable: frozenset[Cell], options: SelectionConfig) -> None:
        self._reachable = reachable
        self._explore = options.explore
        self._improve = options.improve
        self._aimed: Counter[Cell] = Counter()

    def observe(self, elite: Elite) -> None:
        """Ignores it: the archive is enough."""

    def choose(self, situation: Situation, rng: np.random.Generator) -> Choice:
        """A target and an elite in it or beside it; under a stage there is always a target, one that it permits."""
        elites, permitted, factor = situation.elites, situation.permitted, situation.parent_factor
        if not elites:
            return NO_CHOICE
        draw = rng.random()
        target: Cell | None = None
        if draw < self._explore:
            target = self._empty_neighbour(elites, rng, permitted)
        elif draw < self._explore + self._improve:
            target = self._weak_cell(elites, rng, permitted)
        if target is None and permitted is not None:
            target = any_cell(permitted & self._reachable, rng)
        if target is None:
            return Choice(_by_rank(list(elites.values()), rng, factor), None)
        self._aimed[target] += 1
        return Choice(self._parent_for(target, elites, rng, factor), target)

    def to_json(self) -> dict[str, Any]:  # Any: JSON
        """How often each cell was aimed at."""
        return {"aimed": {cell_name(cell): count for cell, count in self._aimed.items()}}

    def restore(self, data: Mapping[str, Any]) -> None:  # Any: JSON
        """The inverse of ``to_json``."""
        self._aimed = Counter({parse_cell(name): int(count) for name, count in data["aimed"].items()})

    def _empty_neighbour(
        self, elites: Mapping[Cell, Elite], rng: np.random.Generator, permitted: frozenset[Cell] | None
    ) -> Cell | None:
        near_cells = {near for cell in elites for near in neighbours(cell) if near not in elites} & self._reachable
        empty = sorted(near_cells if permitted is None else near_cells & permitted)
        if not empty:
            return None
        # Cells that were aimed at in vain may not exist in practice: each try makes the next less likely.
        weights = np.array([1.0 / (1 + self._aimed[cell]) ** 2 for cell in empty])
        return empty[int(rng.choice(len(empty), p=weights / weights.sum()))]

    def _weak_cell(
        self, elites: Mapping[Cell, Elite], rng: np.random.Generator, permitted: frozenset[Cell] | None
    ) -> Cell | None:
        cells = sorted(elites if permitted is None else permitted & elites.keys())
        if not cells:
            return None
        shortfall = np.array([_shortfall(cell, elites) for cell in cells])
        weights = (0.1 + shortfall) / (1 + np.array([self._aimed[cell] for cell in cells]))
        return cells[int(rng.choice(len(cells), p=weights / weights.sum()))]

    def _parent_for(
        self, target: Cell, elites: Mapping[Cell, Elite], rng: np.random.Generator, factor: Factor
    ) -> Elite:
        """The elite of the target or of one of its neighbors, the faster the likelier."""
        near = [elites[cell] for cell in (target, *neighbours(target)) if cell in elites]
        return _by_rank(near or list(elites.values()), rng, factor)


def _shortfall(cell: Cell, elites: Mapping[Cell, Elite]) -> float:
    """How far a cell's elite lies below the best of its neighbors, 0 to 1."""
    best = max((elites[near].objective for near in neighbours(cell) if near in elites), default=0.0)
    return max(0.0, 1.0 - elites[cell].objective / best) if best > 0 else 0.0


def any_cell(cells: frozenset[Cell], rng: np.random.Generator) -> Cell | None:
    """One of the cells, each as likely as the others; ``None`` when there are none."""
    ordered = sorted(cells)
    return ordered[int(rng.integers(len(ordered)))] if ordered else None


def _by_rank(elites: list[Elite], rng: np.random.Generator, factor: Factor) -> Elite:
    """One of them; weights fall off as 1 / rank, which no scale of objectives can distort, times the factor."""
    ordered = sorted(elites, key=lambda elite: (-elite.objective, elite.cell))
    weights = np.array([factor(elite.cell) for elite in ordered]) / np.arange(1, len(ordered) + 1)
    return ordered[int(rng.choice(len(ordered), p=weights / weights.sum()))]
