"""How long elites are timed again at the end of a run."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

from qdkernel.archives import KernelArchive
from qdkernel.core import Cell, Measured, Proposal, RunStatus, parse_cell
from qdkernel.search.again import Remeasurement
from qdkernel.search.archive_fold import ArchiveFold, HeldCell
from tests.fake_runs import kernel

FIRST, SECOND = parse_cell("packed/512/static/near"), parse_cell("none/128/serial/none")


class Measuring(Remeasurement):
    """After a session of 100 s that has two elites; what its passes measure is given."""

    def __init__(self, measured: Mapping[int, list[float]]) -> None:
        nothing = cast(Any, SimpleNamespace(spec=None))
        status, started = RunStatus(reachable=0), time.monotonic() - 100.0
        self.fold = ArchiveFold(nothing, KernelArchive([]), nothing, status)
        self.stopped = False
        super().__init__(nothing, nothing, nothing, self.fold, status, lambda _: None, started, lambda: self.stopped)
        for number, cell, objective in ((1, FIRST, 10.0), (2, SECOND, 20.0)):
            self.fold.held[cell] = HeldCell(number, Proposal(kernel(str(number)), "tune", ""), [Measured(objective)])
        self.measured = measured
        self.passes: list[tuple[set[int], float]] = []

    def measure(self, doubtful: Mapping[int, Cell], deadline: float) -> None:
        self.passes.append((set(doubtful), deadline))
        for record, cell in doubtful.items():
            self.fold.held[cell].measurements.append(Measured(self.measured[record].pop(0)))


def test_remeasurement_ends_when_the_best_two_agree() -> None:
    run = Measuring({1: [9.7], 2: [30.0, 25.0, 29.0]})
    run.run()
    assert [doubtful for doubtful, _ in run.passes] == [{1, 2}, {2}, {2}]


def test_every_elite_is_measured_at_once_and_more_only_for_half_as_long_as_the_session() -> None:
    run = Measuring({1: [20.0, 40.0, 80.0, 160.0], 2: [30.0, 40.0, 60.0, 90.0]})
    begin = time.monotonic()
    run.run()
    first, *later = (deadline for _, deadline in run.passes)
    assert len(later) == 3  # and then they are left in doubt
    assert math.isinf(first)
    assert all(begin + 50.0 <= deadline < begin + 55.0 for deadline in later)


def test_after_the_deadline_or_an_interrupt_no_measurement_is_handed_out() -> None:
    run = Measuring({})
    doubtful = {1: FIRST, 2: SECOND}
    assert [number for number, _ in run.tasks(doubtful, math.inf)] == [1, 2]
    assert list(run.tasks(doubtful, time.monotonic() - 1.0)) == []
    run.stopped = True
    assert list(run.tasks(doubtful, math.inf)) == []
