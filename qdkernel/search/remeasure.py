"""Remeasurement: at the end of a run every elite is timed again, until its two best measurements agree."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping

from qdkernel.backends import Backend
from qdkernel.core import Cell, Evaluation, Outcome, RunStatus, cell_name
from qdkernel.evaluators.pipeline import EvaluationTask
from qdkernel.runs import EventKind, RunFolder
from qdkernel.search.archive_fold import ArchiveFold
from qdkernel.search.environment import RunEnvironment

_PASSES = 4  # over the elites that are still in doubt; on a quiet host nearly all agree after the first
_SHARE = 0.5  # of the time before; a host that is never quiet would cost four whole passes
_AGREE = 0.04  # relative difference of two measurements that agree; heuristic: a little less than the 5 % promised


class Remeasurement:
    """Times the elites of a run again.

    Disturbances of a host last for tens of seconds. So each pass measures all elites in doubt with the others between,
    until the two best measurements of each agree; all its measurements count (``qdkernel.core.pooled``). All passes
    after the first together take at most half as long as the session before.

    Args:
        backend: runs the measurements.
        environment: the configuration on this machine.
        folder: of the run.
        fold: contains the elites.
        status: its news and elapsed time are kept up to date.
        show: given the status after every measurement.
        started: ``time.monotonic()`` when the session began.
        stopping: whether the run is to end.
    """

    def __init__(
        self,
        backend: Backend[EvaluationTask, Evaluation],
        environment: RunEnvironment,
        folder: RunFolder,
        fold: ArchiveFold,
        status: RunStatus,
        show: Callable[[RunStatus], None],
        started: float,
        stopping: Callable[[], bool],
    ) -> None:
        self._backend = backend
        self._environment = environment
        self._folder = folder
        self._fold = fold
        self._status = status
        self._show = show
        self._started = started
        self._stopping = stopping

    def run(self) -> None:
        """Measures until all elites agree, the time is over or the run is to end."""
        begin, deadline = time.monotonic(), math.inf
        for _ in range(_PASSES):
            doubtful = {
                held.record: cell
                for cell, held in self._fold.held.items()
                if not (held.bound or _agree([each.objective for each in held.measurements]))
            }
            if doubtful:
                self.measure(dict(sorted(doubtful.items())), deadline)
            deadline = begin + _SHARE * (begin - self._started)

    def measure(self, doubtful: Mapping[int, Cell], deadline: float) -> None:
        """One pass.

        Args:
            doubtful: the elites' cells, by the numbers of their evaluations.
            deadline: of ``time.monotonic()``, after which no measurement is begun.
        """
        tasks, measured = self.tasks(doubtful, deadline), 0
        self._submit(tasks)
        while self._backend.pending:
            for done in self._backend.completed():
                measured += 1
                if done.result is not None:
                    self._take_in(doubtful[done.number], done.number, done.result)
                self._status.news = f"elites are timed again: {measured} of {len(doubtful)}"
                self._status.elapsed_s = time.monotonic() - self._started
                self._show(self._status)
            self._submit(tasks)

    def tasks(self, doubtful: Mapping[int, Cell], deadline: float) -> Iterator[tuple[int, EvaluationTask]]:
        """The measurements of a pass, until its deadline or the end of the run."""
        for record, cell in doubtful.items():
            if self._stopping() or time.monotonic() > deadline:
                return
            yield record, EvaluationTask(self._environment.spec, self._fold.held[cell].proposal.kernel, again=True)

    def _submit(self, tasks: Iterator[tuple[int, EvaluationTask]]) -> None:
        """Submits tasks until the workers are busy or there are no more."""
        while self._backend.pending < self._backend.capacity and (task := next(tasks, None)):
            self._backend.submit(*task)

    def _take_in(self, cell: Cell, record: int, evaluation: Evaluation) -> None:
        """A failure costs the cell, and a lost measurement changes nothing."""
        outcome = evaluation.outcome
        if evaluation.score:
            self._folder.evaluations.add_remeasurement(record, evaluation)
            self._fold.add_speed(cell, evaluation.score)
        elif outcome in (Outcome.WRONG, Outcome.CRASHED):
            self._fold.retract(cell, evaluation)
        elif outcome is not Outcome.LOST:
            text = f"{cell_name(cell)}: timed again, its kernel ended {outcome}: {evaluation.detail}"
            self._folder.events.add(EventKind.REMEASURE, text)


def _agree(objectives: list[float]) -> bool:
    best = sorted(objectives, reverse=True)[:2]
    return len(best) == 2 and best[1] >= (1 - _AGREE) * best[0]
