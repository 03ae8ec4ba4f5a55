"""The MAP-Elites archive: for each cell the fastest verified kernel, replaced only on significant evidence.

Mouret and Clune 2015 (arXiv 1504.04909); storage, coverage and QD score are pyribs'.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from qdkernel.core import AXES, TIE_WIDTH, Cell, Evaluation, KernelId, Placement, is_win, worth_a_duel


@dataclass(frozen=True)
class Entry:
    """A filled cell."""

    cell: Cell
    kernel_id: KernelId
    objective: float

    @classmethod
    def of(cls, evaluation: Evaluation) -> Entry | None:
        """The entry that an evaluation would make; ``None`` unless its kernel ended ``ok`` with a known behaviour."""
        if evaluation.score is None or evaluation.behaviour is None:
            return None
        return cls(evaluation.behaviour.cell, evaluation.kernel_id, evaluation.score.objective)


@dataclass(frozen=True)
class ArchiveStats:
    """Numbers of an archive; ``coverage`` over the reachable cells, ``qd_score`` the sum of objectives in GFLOP/s."""

    num_elites: int
    coverage: float
    qd_score: float
    best: float


CONTESTS = 2
"""How often a contested evaluation is made again, against the new incumbent; then that one stays."""


class KernelArchive:
    """Cells and their elites.

    Args:
        reachable: the cells that count for coverage; an elite elsewhere is kept all the same.
        tie: relative difference below which two kernels are equal.
    """

    def __init__(self, reachable: Iterable[Cell], tie: float = TIE_WIDTH) -> None:
        self.reachable = frozenset(reachable)
        self._tie = tie
        self._grid = _empty_grid()
        self._entries: dict[Cell, Entry] = {}  # what the grid holds; reading all of the grid takes a millisecond
        self._stats: ArchiveStats | None = None  # of these entries
        self._held: frozenset[KernelId] | None = None  # their kernels

    def offer(self, evaluation: Evaluation) -> Placement:
        """Adds an evaluation if it wins its cell; returns what was done.

        Noise never makes an elite: against an incumbent only the paired duel counts, not the objectives.
        """
        entry = Entry.of(evaluation)
        if entry is None:
            return Placement.NONE
        incumbent = self.get(entry.cell)
        if incumbent is None:
            self.put(entry)
            return Placement.NEW
        if evaluation.duel is None or evaluation.duel.incumbent != incumbent.kernel_id:
            contest = worth_a_duel(entry.objective, evaluation.timings, incumbent.objective)
            return Placement.CONTESTED if contest else Placement.NOT_ADDED
        if not is_win(evaluation.duel, self._tie):
            return Placement.NOT_ADDED
        self.put(entry)
        return Placement.IMPROVED

    def put(self, entry: Entry) -> None:
        """Gives a cell to a kernel, whatever its objective; also used to rebuild an archive from a run's log.

        pyribs never lets an elite become worse, yet the winner of a duel may have been measured a little lower than
        the incumbent once was: then the old entry is removed first.
        """
        if not self._add(entry):
            self.remove(entry.cell)
            self._add(entry)

    def remove(self, cell: Cell) -> None:
        """Empties a cell, which pyribs has no way for: the grid is filled again with the others."""
        left = [entry for entry in self if entry.cell != cell]
        self._grid, self._entries, self._stats = _empty_grid(), {}, None
        self._held = None
        for entry in left:
            self._add(entry)

    def get(self, cell: Cell) -> Entry | None:
        """The elite of a cell."""
        return self._entries.get(cell)

    def holds(self, kernel_id: KernelId) -> bool:
        """Whether a kernel is an elite."""
        if self._held is None:
            self._held = frozenset(entry.kernel_id for entry in self._entries.values())
        return kernel_id in self._held

    def __iter__(self) -> Iterator[Entry]:
        """All entries, ordered by cell."""
        return iter(sorted(self._entries.values(), key=lambda entry: entry.cell))

    def __len__(self) -> int:
        return len(self._grid)

    @property
    def stats(self) -> ArchiveStats:
        """Elites, coverage, QD score and best objective."""
        if self._stats is None:
            objectives = [entry.objective for entry in self._entries.values()]
            inside = len(self.reachable & self._entries.keys())
            self._stats = ArchiveStats(
                num_elites=len(objectives),
                coverage=inside / len(self.reachable) if self.reachable else 0.0,
                qd_score=math.fsum(objectives),
                best=max(objectives, default=0.0),
            )
        return self._stats

    def _add(self, entry: Entry) -> bool:
        if not np.isfinite(entry.objective):
            raise ValueError(
                f"the objective of kernel {entry.kernel_id[:12]} is {entry.objective}, not a finite number"
            )
        # add_single: the batch form compiles numba code for seconds on first use
        status = self._grid.add_single(entry.kernel_id, entry.objective, np.asarray(entry.cell, float))["status"]
        taken = int(status) > 0
        if taken:
            self._entries[entry.cell], self._stats, self._held = entry, None, None
        return taken


def _empty_grid() -> Any:  # Any: ribs has no types
    from ribs.archives import GridArchive  # takes seconds to import

    return GridArchive(
        solution_dim=(),
        dims=[len(axis.levels) for axis in AXES],
        ranges=[(-0.5, len(axis.levels) - 0.5) for axis in AXES],  # integer levels at the cells' centres
        solution_dtype=object,
        objective_dtype=np.float64,
        measures_dtype=np.float64,
    )
