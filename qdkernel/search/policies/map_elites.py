"""Which elite is changed next, and towards which cell.

Targets are chosen on purpose (as the directional emitters of quality-diversity search do): an empty cell beside a
filled one, a filled cell that is slow beside its neighbours, or no cell in particular.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from qdkernel.core import Cell, neighbours
from qdkernel.mutators import Elite

Factor = Callable[[Cell], float]


@dataclass(frozen=True)
class Choice:
    """The parent to start from (``None`` while the archive is empty) and the cell to aim at."""

    parent: Elite | None
    target: Cell | None


NO_CHOICE = Choice(None, None)


@dataclass
class Selector:
    """Chooses parents and targets; remembers how often each cell was aimed at, so that none is tried for ever.

    Attributes:
        reachable: cells this machine can fill.
        explore: probability of aiming at an empty cell beside a filled one.
        improve: probability of aiming at a filled cell that is slow beside its neighbours.
        aimed: proposals aimed at each cell so far.
    """

    reachable: frozenset[Cell]
    explore: float
    improve: float
    aimed: Counter[Cell] = field(default_factory=Counter)

    def choose(
        self,
        elites: Mapping[Cell, Elite],
        rng: np.random.Generator,
        permitted: frozenset[Cell] | None = None,
        factor: Factor = lambda cell: 1.0,
    ) -> Choice:
        """The next parent and target.

        Args:
            elites: by cell.
            rng: of the proposals.
            permitted: cells a stage permits; then there is always a target, one of them. ``None`` for all.
            factor: how much likelier than its rank says an elite is chosen, by what its children earned.
        """
        if not elites:
            return NO_CHOICE
        draw = rng.random()
        target: Cell | None = None
        if draw < self.explore:
            target = self._empty_neighbour(elites, rng, permitted)
        elif draw < self.explore + self.improve:
            target = self._weak_cell(elites, rng, permitted)
        if target is None and permitted is not None:
            target = _any(permitted & self.reachable, rng)
        if target is None:
            return Choice(_by_rank(list(elites.values()), rng, factor), None)
        self.aimed[target] += 1
        return Choice(self._parent_for(target, elites, rng, factor), target)

    def _empty_neighbour(
        self, elites: Mapping[Cell, Elite], rng: np.random.Generator, permitted: frozenset[Cell] | None
    ) -> Cell | None:
        near_cells = {near for cell in elites for near in neighbours(cell) if near not in elites} & self.reachable
        empty = sorted(near_cells if permitted is None else near_cells & permitted)
        if not empty:
            return None
        # Cells that were aimed at in vain may not exist in practice: each try makes the next less likely.
        weights = np.array([1.0 / (1 + self.aimed[cell]) ** 2 for cell in empty])
        return empty[int(rng.choice(len(empty), p=weights / weights.sum()))]

    def _weak_cell(
        self, elites: Mapping[Cell, Elite], rng: np.random.Generator, permitted: frozenset[Cell] | None
    ) -> Cell | None:
        cells = sorted(elites if permitted is None else permitted & elites.keys())
        if not cells:
            return None
        shortfall = np.array([_shortfall(cell, elites) for cell in cells])
        weights = (0.1 + shortfall) / (1 + np.array([self.aimed[cell] for cell in cells]))
        return cells[int(rng.choice(len(cells), p=weights / weights.sum()))]

    def _parent_for(
        self, target: Cell, elites: Mapping[Cell, Elite], rng: np.random.Generator, factor: Factor
    ) -> Elite:
        """The target's own holder or one of its neighbours, the faster the likelier."""
        near = [elites[cell] for cell in (target, *neighbours(target)) if cell in elites]
        return _by_rank(near or list(elites.values()), rng, factor)


def _shortfall(cell: Cell, elites: Mapping[Cell, Elite]) -> float:
    """How far a cell's elite lies below the best of its neighbours, 0 to 1."""
    best = max((elites[near].objective for near in neighbours(cell) if near in elites), default=0.0)
    return max(0.0, 1.0 - elites[cell].objective / best) if best > 0 else 0.0


def _any(cells: frozenset[Cell], rng: np.random.Generator) -> Cell | None:
    ordered = sorted(cells)
    return ordered[int(rng.integers(len(ordered)))] if ordered else None


def _by_rank(elites: list[Elite], rng: np.random.Generator, factor: Factor) -> Elite:
    """One of them; weights fall off as 1 / rank, which no scale of objectives can distort, times the factor."""
    ordered = sorted(elites, key=lambda elite: (-elite.objective, elite.cell))
    weights = np.array([factor(elite.cell) for elite in ordered]) / np.arange(1, len(ordered) + 1)
    return ordered[int(rng.choice(len(ordered), p=weights / weights.sum()))]
