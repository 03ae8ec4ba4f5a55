"""What all measurements of elites at the end of a run share: workers kept busy, and what a failure costs."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

from qdkernel.backends import Backend
from qdkernel.core import Cell, Evaluation, Outcome, RunStatus, cell_name
from qdkernel.evaluators.pipeline import EvaluationSpec, EvaluationTask
from qdkernel.runs import EventKind, RunFolder
from qdkernel.search.archive_fold import ArchiveFold


class EliteTimings(ABC):
    """Times elites of a run in fresh processes.

    Args:
        backend: runs the measurements.
        spec: how kernels are timed.
        folder: of the run.
        fold: contains the elites.
        status: its news and elapsed time are kept up to date.
        show: given the status after every measurement.
        started: ``time.monotonic()`` when the session began.
        stopping: whether the run is to end.

    Attributes:
        news: the text of the status meanwhile.
        when: when an elite failed, as the event states it.
    """

    news: ClassVar[str]
    when: ClassVar[str]

    def __init__(
        self,
        backend: Backend[EvaluationTask, Evaluation],
        spec: EvaluationSpec,
        folder: RunFolder,
        fold: ArchiveFold,
        status: RunStatus,
        show: Callable[[RunStatus], None],
        started: float,
        stopping: Callable[[], bool],
    ) -> None:
        self._backend = backend
        self._spec = spec
        self._folder = folder
        self._fold = fold
        self._status = status
        self._show = show
        self._started = started
        self._stopping = stopping

    @abstractmethod
    def keep(self, record: int, cell: Cell, evaluation: Evaluation) -> None:
        """Commits a measurement that ended ``ok``."""

    def measure(self, cells: Mapping[int, Cell], deadline: float) -> None:
        """One pass.

        Args:
            cells: of the elites, by the numbers of their evaluations.
            deadline: of ``time.monotonic()``, after which no measurement is begun.
        """
        tasks, measured = self.tasks(cells, deadline), 0
        self._submit(tasks)
        while self._backend.pending:
            for done in self._backend.completed():
                measured += 1
                if done.result is not None:
                    self._take_in(done.number, cells[done.number], done.result)
                self._status.news = f"{self.news}: {measured} of {len(cells)}"
                self._status.elapsed_s = time.monotonic() - self._started
                self._show(self._status)
            self._submit(tasks)

    def tasks(self, cells: Mapping[int, Cell], deadline: float) -> Iterator[tuple[int, EvaluationTask]]:
        """The measurements of a pass, until its deadline or the end of the run."""
        for record, cell in cells.items():
            if self._stopping() or time.monotonic() > deadline:
                return
            yield record, EvaluationTask(self._spec, self._fold.held[cell].proposal.kernel, again=True)

    def _submit(self, tasks: Iterator[tuple[int, EvaluationTask]]) -> None:
        """Submits tasks until the workers are busy or there are no more."""
        while self._backend.pending < self._backend.capacity and (task := next(tasks, None)):
            self._backend.submit(*task)

    def _take_in(self, record: int, cell: Cell, evaluation: Evaluation) -> None:
        """A failure costs the cell, and a lost measurement changes nothing."""
        outcome = evaluation.outcome
        if evaluation.score:
            self.keep(record, cell, evaluation)
        elif outcome in (Outcome.WRONG, Outcome.CRASHED):
            self._fold.retract(cell, evaluation)
        elif outcome is not Outcome.LOST:
            text = f"{cell_name(cell)}: {self.when}, its kernel ended {outcome}: {evaluation.detail}"
            self._folder.events.add(EventKind.REMEASURE, text)
