"""What an archive is worth on another machine: its elites evaluated again there, cell by cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qdkernel.analysis.speed import ratio_to_baseline
from qdkernel.core import Cell, Evaluation
from qdkernel.runs import Record


@dataclass(frozen=True)
class CarriedElite:
    """An elite there and here.

    Attributes:
        cell: that it holds in its archive.
        there: the record of its evaluation there.
        here: what happened to the kernel here.
        wins: whether it is in the same cell here, and none of the other elites is faster in that cell.
    """

    cell: Cell
    there: Record
    here: Evaluation
    wins: bool


@dataclass(frozen=True)
class CarryOver:
    """All elites of an archive.

    Attributes:
        elites: ordered by cell.
        rank_correlation: Spearman's, between the ratios to the baseline there and here, of the elites that ended ``ok``
            here; ``None`` for fewer than three.
        best_stays: whether the fastest elite there is the fastest here.
    """

    elites: tuple[CarriedElite, ...]
    rank_correlation: float | None
    best_stays: bool

    @property
    def passed(self) -> int:
        """Elites that ended ``ok`` here."""
        return sum(elite.here.score is not None for elite in self.elites)

    @property
    def moved(self) -> int:
        """Elites that ended ``ok`` in another cell here, as where the compiler uses other instructions."""
        return sum(elite.here.score is not None and elite.here.cell != elite.cell for elite in self.elites)

    @property
    def winners(self) -> int:
        """Elites that are still the fastest of their cell."""
        return sum(elite.wins for elite in self.elites)


def carry_over(there: Sequence[tuple[Cell, Record]], here: Sequence[Evaluation]) -> CarryOver:
    """Compares the elites of an archive with their evaluations on this machine.

    Args:
        there: cells and records of the elites.
        here: the evaluations of the same kernels, in the same order.
    """
    fastest: dict[Cell, float] = {}
    for evaluation in here:
        if evaluation.cell is not None and evaluation.objective is not None:
            fastest[evaluation.cell] = max(evaluation.objective, fastest.get(evaluation.cell, 0.0))
    elites = tuple(
        CarriedElite(cell, record, found, found.cell == cell and found.objective == fastest.get(cell))
        for (cell, record), found in zip(there, here, strict=True)
    )
    timed = [elite for elite in elites if elite.here.score is not None]
    ratios_there, ratios_here = ([_ratio(e.there.evaluation) for e in timed], [_ratio(e.here) for e in timed])
    best_there = max(elites, key=lambda elite: elite.there.evaluation.objective or 0.0, default=None)
    best_here = max(timed, key=lambda elite: elite.here.objective or 0.0, default=None)
    correlation = rank_correlation(ratios_there, ratios_here) if len(timed) >= 3 else None
    return CarryOver(elites, correlation, best_here is not None and best_here is best_there)


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's rank correlation, -1 to 1; equal values share their mean rank, and 0 where all are equal.

    Args:
        first: at least two values.
        second: as many.
    """
    ranks, others = (_ranks(np.asarray(values, dtype=float)) for values in (first, second))
    if np.ptp(ranks) == 0 or np.ptp(others) == 0:
        return 0.0
    return float(np.corrcoef(ranks, others)[0, 1])


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    mean: NDArray[np.float64] = (last - counts + last - 1)[inverse] / 2
    return mean


def _ratio(evaluation: Evaluation) -> float:
    ratio = ratio_to_baseline(evaluation)
    assert ratio is not None  # an evaluation that ended ok was timed
    return ratio.median
