"""Parents and targets from the archive (MAP-Elites, Mouret and Clune 2015, arXiv 1504.04909), with directed targets.

Targets are chosen on purpose, as the directional emitters of quality-diversity search choose them: the best cell or one
beside it, an empty cell beside a filled one, a filled cell that is slow beside its neighbors, or no cell in particular;
the likelier the more a kernel of the cell can reach on this machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qdkernel.config import SelectionConfig
from qdkernel.core import Cell, cell_name, neighbours, parse_cell
from qdkernel.mutators import Elite
from qdkernel.search.policies.base import NO_CHOICE, Choice, Factor, Situation
from qdkernel.search.policies.landscape import Landscape, by_speed


class MapElites:
    """Counts how often each cell was aimed at, so that no cell is aimed at for ever.

    Args:
        reachable: cells this machine can fill.
        options: ``exploit``, ``explore`` and ``improve`` divide the choices among the kinds of target.
    """

    name = "map-elites"
    shows_history = True

    def __init__(self, reachable: frozenset[Cell], options: SelectionConfig) -> None:
        self._reachable = reachable
        self._exploit = options.exploit
        self._explore = options.explore
        self._improve = options.improve
        self._aimed: Counter[Cell] = Counter()
        self._landscape = Landscape((), reachable)

    def observe(self, elite: Elite) -> None:
        """Ignores it: the archive is enough."""

    def choose(self, situation: Situation, rng: np.random.Generator) -> Choice:
        """A target and an elite in it or beside it; under a stage there is always a target, one that it permits."""
        elites, permitted, factor = situation.elites, situation.permitted, situation.parent_factor
        if not elites:
            return NO_CHOICE
        if self._landscape.elites != (listed := list(elites.values())):
            self._landscape = Landscape(listed, self._reachable)
        exploits = rng.random() < self._exploit
        best = self._landscape.best
        target = self._near(best.cell, situation, rng) if exploits else self._elsewhere(situation, rng)
        if target is None and permitted is not None:
            target = any_cell(permitted & self._reachable, rng)
        if target is None:
            return Choice(best if exploits else _by_rank(self._landscape.ranked, rng, factor), None)
        self._aimed[target] += 1
        near = [elites[cell] for cell in (target, *neighbours(target)) if cell in elites]
        return Choice(_by_rank(by_speed(near) or self._landscape.ranked, rng, factor), target)

    def to_json(self) -> dict[str, Any]:  # Any: JSON
        """How often each cell was aimed at."""
        return {"aimed": {cell_name(cell): count for cell, count in self._aimed.items()}}

    def restore(self, data: Mapping[str, Any]) -> None:  # Any: JSON
        """The inverse of ``to_json``."""
        self._aimed = Counter({parse_cell(name): int(count) for name, count in data["aimed"].items()})

    def _near(self, best: Cell, situation: Situation, rng: np.random.Generator) -> Cell | None:
        """The best cell or one beside it; ``None`` as often as the likeliest of them."""
        around = [cell for cell in (best, *neighbours(best)) if cell in self._reachable]
        aims = [cell for cell in around if situation.permitted is None or cell in situation.permitted]
        weights = [situation.ceiling(cell) / (1 + self._aimed[cell]) for cell in aims]
        return _weighted([*aims, None], [*weights, max(weights, default=0.0)], rng)

    def _elsewhere(self, situation: Situation, rng: np.random.Generator) -> Cell | None:
        draw = rng.random()
        if draw < self._explore:
            return self._empty_neighbour(situation, rng)
        return self._weak_cell(situation, rng) if draw < self._explore + self._improve else None

    def _empty_neighbour(self, situation: Situation, rng: np.random.Generator) -> Cell | None:
        permitted = situation.permitted
        empty = [cell for cell in self._landscape.frontier if permitted is None or cell in permitted]
        # Cells that were aimed at in vain may not exist in practice: each try makes the next less likely.
        return _weighted(empty, [situation.ceiling(cell) / (1 + self._aimed[cell]) ** 2 for cell in empty], rng)

    def _weak_cell(self, situation: Situation, rng: np.random.Generator) -> Cell | None:
        permitted, lacking = situation.permitted, self._landscape.shortfalls
        cells = [cell for cell in lacking if permitted is None or cell in permitted]
        weights = [situation.ceiling(cell) * (0.1 + lacking[cell]) / (1 + self._aimed[cell]) for cell in cells]
        return _weighted(cells, weights, rng)


def _weighted(cells: Sequence[Cell | None], weights: Sequence[float], rng: np.random.Generator) -> Cell | None:
    """One of the cells; ``None`` when none has a weight."""
    total = sum(weights)
    return cells[int(rng.choice(len(cells), p=np.array(weights) / total))] if total > 0 else None


def any_cell(cells: frozenset[Cell], rng: np.random.Generator) -> Cell | None:
    """One of the cells, each as likely as the others; ``None`` when there are none."""
    ordered = sorted(cells)
    return ordered[int(rng.integers(len(ordered)))] if ordered else None


def _by_rank(ranked: Sequence[Elite], rng: np.random.Generator, factor: Factor) -> Elite:
    """One of them; weights fall off as 1 / rank, which no scale of objectives can distort, times the factor."""
    weights = np.array([factor(elite.cell) for elite in ranked]) / np.arange(1, len(ranked) + 1)
    return ranked[int(rng.choice(len(ranked), p=weights / weights.sum()))]
