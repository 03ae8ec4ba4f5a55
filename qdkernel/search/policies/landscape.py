"""What follows from the elites of an archive, worked out once for as long as they stay the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter

import numpy as np

from qdkernel.core import AXES, Array, Cell, neighbours
from qdkernel.mutators import Elite


@dataclass(frozen=True)
class Landscape:
    """Elites and the cells around them.

    Attributes:
        elites: at most one for each cell.
        reachable: cells this machine can fill.
    """

    elites: Sequence[Elite]
    reachable: frozenset[Cell]

    @cached_property
    def best(self) -> Elite:
        """The fastest; of several the one in the last cell."""
        return max(self.elites, key=attrgetter("objective", "cell"))

    @cached_property
    def ranked(self) -> list[Elite]:
        """The fastest first."""
        return by_speed(self.elites)

    @cached_property
    def frontier(self) -> list[Cell]:
        """Empty cells that can be filled, beside a filled one, in order."""
        filled = [elite.cell for elite in self.elites]
        return sorted(frozenset[Cell]().union(*map(neighbours, filled)).difference(filled) & self.reachable)

    @cached_property
    def shortfalls(self) -> dict[Cell, float]:
        """How far each elite lies below the best beside it, 0 to 1, by cell in order."""
        # The level added to each axis stays empty, so that neighbors do not wrap around.
        held = np.zeros([len(axis.levels) + 1 for axis in AXES])
        held[tuple(np.array([elite.cell for elite in self.elites]).T)] = [elite.objective for elite in self.elites]
        shifted = [np.roll(held, step, axis) for axis in range(held.ndim) for step in (-1, 1)]
        best = np.max(shifted, axis=0)
        share: Array = np.divide(held, best, out=np.ones_like(held), where=best > 0)
        lacking = (1.0 - share).clip(min=0.0)
        return {cell: float(lacking[cell]) for cell in sorted(elite.cell for elite in self.elites)}


def by_speed(elites: Sequence[Elite]) -> list[Elite]:
    """The fastest first."""
    return sorted(elites, key=lambda elite: (-elite.objective, elite.cell))
