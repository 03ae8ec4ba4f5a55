"""How well the children of each parent did."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from qdkernel.core import Cell, cell_name, parse_cell
from qdkernel.search.credit.bandit import FADING, TINY
from qdkernel.search.state import ParentState

_PARENT_PRIOR = 4.0  # tries that the prior of a parent is worth; heuristic: four failures only halve a parent's chance
_MOST_FACTOR = 1.5  # heuristic: a lucky parent must not crowd out the others


@dataclass
class ParentStats:
    """What kernels made from each cell's elite earned, for the choice of parents.

    A cell's factor is its mean earning per try over that of all tries, shrunk towards 1 by pseudo-counts; tries in
    flight count as unsuccessful, and all evidence fades with every try that ends, as in the bandit.
    """

    _tries: dict[Cell, float] = field(default_factory=dict)
    _earned: dict[Cell, float] = field(default_factory=dict)
    _in_flight: dict[Cell, int] = field(default_factory=dict)
    _mean: float | None = None  # earning per try of all tries; None after a change
    _factors: dict[Cell, float] = field(default_factory=dict)  # worked out since the last change

    def factor(self, cell: Cell) -> float:
        """How much likelier than usual the cell's elite should be a parent; above 0 and at most 1.5, 1 at first."""
        factor = self._factors.get(cell)
        if factor is None:
            factor = self._factors[cell] = self._factor(cell)
        return factor

    def enter(self, cell: Cell) -> None:
        """One more kernel is being made from the cell's elite."""
        self._in_flight[cell] = self._in_flight.get(cell, 0) + 1
        self._factors.pop(cell, None)

    def leave(self, cell: Cell) -> None:
        """One kernel less is being made from the cell's elite.

        Raises:
            ValueError: there is none.
        """
        if not self._in_flight.get(cell):
            raise ValueError(f"expected a try of the elite in {cell_name(cell)} in flight, got none")
        self._in_flight[cell] -= 1
        self._factors.pop(cell, None)

    def record(self, cell: Cell, earned: float) -> None:
        """Adds the evidence of a try that ended; ``earned`` is 0 when nothing came of it.

        Raises:
            ValueError: a negative or infinite number.
        """
        if not (math.isfinite(earned) and earned >= 0):
            raise ValueError(f"expected earned to be a finite number >= 0, got {earned}")
        for amounts in (self._tries, self._earned):
            for known in amounts:
                amounts[known] *= FADING
        self._tries[cell] = self._tries.get(cell, 0.0) + 1
        self._earned[cell] = self._earned.get(cell, 0.0) + earned
        self._forget_factors()

    def state(self) -> tuple[ParentState, ...]:
        """The evidence; tries in flight are left out: a resume begins them again."""
        return tuple(
            ParentState(cell=cell_name(cell), tries=tries, earned=self._earned[cell])
            for cell, tries in self._tries.items()
        )

    def restore(self, parents: Iterable[ParentState]) -> None:
        """The inverse of ``state``."""
        for parent in parents:
            cell = parse_cell(parent.cell)
            self._tries[cell], self._earned[cell] = parent.tries, parent.earned
        self._forget_factors()

    def _factor(self, cell: Cell) -> float:
        if self._mean is None:
            tries, earned = _total(self._tries.values()), _total(self._earned.values())
            self._mean = earned / tries if tries and earned else 0.0
        wins = self._earned.get(cell, 0.0) / self._mean if self._mean else 0.0
        losses = self._tries.get(cell, 0.0) + self._in_flight.get(cell, 0)
        return min(_MOST_FACTOR, (_PARENT_PRIOR + wins) / (_PARENT_PRIOR + losses))

    def _forget_factors(self) -> None:
        self._mean = None
        self._factors.clear()


def _total(amounts: Iterable[float]) -> float:
    total = sum(amounts)
    return total if total > TINY else 0.0
