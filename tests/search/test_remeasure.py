"""How long elites are timed again at the end of a run."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

from qdkernel.archives import KernelArchive
from qdkernel.core import Cell, Proposal, parse_cell
from qdkernel.search.loop import Evolution
from tests.fake_runs import kernel

FIRST, SECOND = parse_cell("packed/512/static/near"), parse_cell("none/128/serial/none")


class Looking(Evolution):
    """A session of 100 s that has two elites; what its passes measure is given."""

    def __init__(self, measured: Mapping[int, list[float]]) -> None:
        nothing = cast(Any, SimpleNamespace(spec=None))
        super().__init__(nothing, nothing, KernelArchive([]), nothing, lambda: None, lambda _: None)
        self._start -= 100.0
        self._holders = {cell: (at, Proposal(kernel(str(at)), "tune", "")) for at, cell in ((1, FIRST), (2, SECOND))}
        self._objectives = {1: [10.0], 2: [20.0]}
        self._measured = measured
        self.passes: list[tuple[set[int], float]] = []

    def _pass(self, doubtful: Mapping[int, Cell], deadline: float) -> None:
        self.passes.append((set(doubtful), deadline))
        for record in doubtful:
            self._objectives[record].append(self._measured[record].pop(0))


def test_looks_end_when_the_best_two_agree() -> None:
    run = Looking({1: [9.7], 2: [30.0, 25.0, 29.0]})
    run._remeasure_elites()
    assert [doubtful for doubtful, _ in run.passes] == [{1, 2}, {2}, {2}]


def test_every_elite_is_measured_at_once_and_more_only_for_half_as_long_as_the_session() -> None:
    run = Looking({1: [20.0, 40.0, 80.0, 160.0], 2: [30.0, 40.0, 60.0, 90.0]})
    begin = time.monotonic()
    run._remeasure_elites()
    first, *later = (deadline for _, deadline in run.passes)
    assert len(later) == 3  # and then they are left in doubt
    assert math.isinf(first)
    assert all(begin + 50.0 <= deadline < begin + 55.0 for deadline in later)


def test_after_the_deadline_or_an_interrupt_no_look_is_handed_out() -> None:
    run = Looking({})
    doubtful = {1: FIRST, 2: SECOND}
    assert [number for number, _ in run._remeasure_tasks(doubtful, math.inf)] == [1, 2]
    assert list(run._remeasure_tasks(doubtful, time.monotonic() - 1.0)) == []
    run.stop()
    assert list(run._remeasure_tasks(doubtful, math.inf)) == []
