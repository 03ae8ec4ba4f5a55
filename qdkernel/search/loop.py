"""The loop: propose, evaluate, place, until a budget is spent; then every elite is timed again."""

from __future__ import annotations

import contextlib
import gc
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from threadpoolctl import threadpool_limits

from qdkernel.archives import CONTESTS, KernelArchive
from qdkernel.backends import Backend, Done, make_backend
from qdkernel.core import Evaluation, KernelId, Outcome, Placement, Proposal, RunStatus, StopReason
from qdkernel.evaluators.pipeline import EvaluationSpec, EvaluationTask
from qdkernel.machine import CoreLock
from qdkernel.mutators import SEED
from qdkernel.runs import Evaluated, EventKind, RunFolder
from qdkernel.search.again import HeldOutTimings, Remeasurement, calibrated, draw_sizes, held_out_spec
from qdkernel.search.archive_fold import ArchiveFold
from qdkernel.search.environment import RunEnvironment
from qdkernel.search.parking import Parking
from qdkernel.search.source import PendingProposal, Source

_IDLE_S = 0.05  # between looks for a proposal while a worker is free; more often would disturb a benchmark
# With many workers results are taken in round by round, and those of a round are committed together, which costs this
# process less. No worker waits, as each has its next kernel already.
_ROUND_S, _WORKERS_OF_ROUNDS = 0.05, 12
_UNLIMITED_COST = 1e-6  # of an evaluation where neither their number nor time is limited: little, and the same for all

Show = Callable[[RunStatus], None]
Timings = TypeVar("Timings", Remeasurement, HeldOutTimings)
Evaluations = Backend[EvaluationTask, Evaluation]


class Evolution:
    """A run in progress.

    Args:
        environment: the configuration on this machine.
        folder: the run's folder, open for writing; what it already contains is continued.
        archive: empty; it is rebuilt from the folder.
        source: where proposals come from.
        spent: names the budget that is spent beside evaluations and minutes, e.g. the models'.
        show: given the status after every evaluation, or after several that ended together.
        backend: where kernels are evaluated; ``None`` for the workers of this machine. Closed when the run ends.

    Attributes:
        status: where the run stands.
    """

    def __init__(
        self,
        environment: RunEnvironment,
        folder: RunFolder,
        archive: KernelArchive,
        source: Source,
        spent: Callable[[], StopReason | None],
        show: Show,
        backend: Evaluations | None = None,
    ) -> None:
        self.status = RunStatus(reachable=len(archive.reachable))
        self._environment = environment
        self._folder = folder
        self._fold = ArchiveFold(folder, archive, environment.scratch, self.status)
        self._source = source
        self._models_spent = spent
        self._show = show
        self._backend = backend
        self._lock = CoreLock()
        self._under_way: dict[int, PendingProposal] = {}
        self._contests: Counter[int] = Counter()
        self._parking = Parking()
        self._stopping = False
        self._round_s = _ROUND_S if environment.workers >= _WORKERS_OF_ROUNDS else 0.0
        self._start = time.monotonic()

    def stop(self) -> None:
        """No more proposals; what is under way is finished. May be called from a signal handler."""
        self._stopping = True

    def run(self) -> StopReason:
        """Runs until a budget is spent, ``stop`` is called or no proposal is left; then times the elites again."""
        # The model of speed has small matrices: threads of the BLAS would gain nothing, and spin between them.
        with threadpool_limits(1, user_api="blas"):
            return self._run()

    def _run(self) -> StopReason:
        self._restore()
        config = self._environment.config
        evaluate, workers = self._environment.evaluate, self._environment.workers
        backend = self._backend or make_backend(config.evaluators.backend, evaluate, workers)
        with contextlib.closing(backend), _frozen():
            reason = self._search(backend)
            if config.timing.remeasure and reason is not StopReason.INTERRUPTED:
                self._elite_timings(Remeasurement, backend, self._environment.spec).run()
                self._time_held_out(backend)
        self._folder.events.add(EventKind.STOPPED, reason.value)
        return reason

    def _search(self, backend: Evaluations) -> StopReason:
        reason = self._fill(backend)
        while reason is None or backend.pending or (self._parking and not self._stopping):
            # With room for more the source is asked again soon; it may be waiting for a model.
            room = (reason is None or self._parking) and backend.pending < backend.capacity
            if not room:
                time.sleep(self._round_s)
            if finished := backend.completed(_IDLE_S if room else None):
                self._take_in(finished, backend)
            if reason is not None:
                self._submit_parked(backend)
            if not backend.pending:  # nothing is being timed, so the display may compute
                self._update_status()
                self._show(self.status)
            reason = reason or self._fill(backend)
            if not backend.pending and (reason is None or self._parking):
                time.sleep(_IDLE_S)
        return reason

    def _take_in(self, finished: Sequence[Done[Evaluation]], backend: Evaluations) -> None:
        """Places results, but for kernels to be evaluated again: at once, or when the host is quieter."""
        placed = []
        with self._computing():
            for done in finished:
                pending = self._under_way[done.number]
                evaluation = done.result or _lost(pending.proposal.kernel.id)
                if self._parking.park(done.number, pending.proposal, evaluation):
                    self._source.parked(pending.proposal, evaluation)
                elif each := self._place(done.number, evaluation):
                    placed.append(each)
                else:
                    backend.submit(done.number, self._task(pending))
        self._commit(placed)
        self._show(self.status)

    def _submit_parked(self, backend: Evaluations) -> None:
        """Tries the parked kernels again whose pause has ended; they go before new proposals."""
        while not self._stopping and backend.pending < backend.capacity:
            number = self._parking.next()
            if number is None:
                return
            backend.submit(number, self._task(self._under_way[number]))

    def _computing(self) -> contextlib.AbstractContextManager[None]:
        """Held while this process computes, so not beside a benchmark; not while it waits for the disk."""
        return self._lock.shared() if self._environment.times else contextlib.nullcontext()

    def _update_status(self) -> None:
        self.status.elapsed_s = time.monotonic() - self._start
        self.status.parked = len(self._parking)
        self._source.update_status(self.status)

    def _fill(self, backend: Evaluations) -> StopReason | None:
        """Submits proposals until the workers are busy; the reason when there are no more."""
        self._submit_parked(backend)
        while (room := backend.capacity - backend.pending) > 0:
            pending = backend.pending + len(self._parking)
            if drawn := self._draw(min(room, self._source.together), pending):
                self._submit(drawn, backend)
            elif reason := self._spent(pending):
                return reason
            elif backend.pending or self._source.waiting:
                return None
            else:
                return self._spent(0) or self._source.ending  # asking may have shown what is spent
        return None

    def _draw(self, most: int, pending: int) -> list[PendingProposal]:
        """Up to ``most`` proposals that the budget allows beside those pending; one that was judged is the last."""
        drawn: list[PendingProposal] = []
        with self._computing():
            while len(drawn) < most and self._spent(pending + len(drawn)) is None:
                proposal = self._source.next()
                if proposal is None:
                    break
                drawn.append(proposal)
                if self._fold.judged(proposal.proposal.kernel.id):
                    break
        return drawn

    def _submit(self, drawn: Sequence[PendingProposal], backend: Evaluations) -> None:
        """Commits proposals before they are evaluated, so that a kill loses none; one that was judged is placed."""
        new = [pending.proposal for pending in drawn if pending.number is None]
        numbers = iter(self._folder.evaluations.add_proposals(new))
        for pending in drawn:
            number = next(numbers) if pending.number is None else pending.number
            self._under_way[number] = pending
            if self._fold.judged(kernel := pending.proposal.kernel.id):
                with self._computing():
                    placed = self._place(number, _same_again(kernel))
                assert placed is not None  # nothing contests a duplicate
                self._commit([placed])
            else:
                backend.submit(number, self._task(pending))

    def _task(self, pending: PendingProposal) -> EvaluationTask:
        proposal = pending.proposal
        return EvaluationTask(
            self._environment.spec, proposal.kernel, pending.accept, is_seed=proposal.operator == SEED
        )

    def _spent(self, pending: int) -> StopReason | None:
        budget = self._environment.config.budget
        if self._stopping:
            return StopReason.INTERRUPTED
        if budget.evaluations is not None and self.status.evaluations + pending >= budget.evaluations:
            return StopReason.EVALUATIONS
        if budget.minutes is not None and time.monotonic() - self._start >= 60 * budget.minutes:
            return StopReason.MINUTES
        return self._models_spent()

    def _place(self, number: int, evaluation: Evaluation) -> _Placed | None:
        """Places an evaluation; ``None`` when it must be made again, against a new incumbent."""
        before = self._fold.entry(evaluation.cell)
        placement = self._fold.offer(evaluation)
        if placement is Placement.CONTESTED:
            if self._contests[number] < CONTESTS:
                self._contests[number] += 1
                return None
            placement = Placement.NOT_ADDED
        pending = self._under_way.pop(number)
        gain = self._fold.add(pending.proposal, evaluation, placement, before)
        self._source.evaluated(number, pending, evaluation, placement, gain, self._cost(evaluation))
        self._update_status()
        return _Placed(pending.proposal, Evaluated(number, evaluation, placement))

    def _commit(self, placed: Sequence[_Placed]) -> None:
        """Commits evaluations together, with the state of the search after the last."""
        if not placed:
            return
        records = self._folder.evaluations.add_all([each.evaluated for each in placed], self._source.state())
        for number, each in zip(records, placed, strict=True):
            self._fold.committed(number, each.proposal, each.evaluated.evaluation, each.evaluated.placement)

    def _cost(self, evaluation: Evaluation) -> float:
        """An evaluation as a share of the budget: of the evaluations, and of the workers' time."""
        budget = self._environment.config.budget
        if budget.evaluations is None and budget.minutes is None:
            return _UNLIMITED_COST
        seconds = sum(s for step, s in evaluation.step_s.items() if step not in ("wait", "kernels"))
        share = 1 / budget.evaluations if budget.evaluations else 0.0
        if budget.minutes:
            share += seconds / (60 * budget.minutes * self._environment.workers)
        return share

    def _time_held_out(self, backend: Evaluations) -> None:
        config, environment = self._environment.config, self._environment
        sizes = draw_sizes(environment.timing.sizes, config.timing.held_out, config.seed)
        if not sizes or self._stopping or not self._fold.held:
            return
        spec = held_out_spec(environment.spec, sizes)
        if self._backend is None:  # nodes of a cluster calibrate themselves
            spec = calibrated(spec)
        self._elite_timings(HeldOutTimings, backend, spec).run()

    def _elite_timings(self, kind: type[Timings], backend: Evaluations, spec: EvaluationSpec) -> Timings:
        return kind(
            backend, spec, self._folder, self._fold, self.status, self._show, self._start, lambda: self._stopping
        )

    def _restore(self) -> None:
        """Rebuilds everything from the run's log: the archive is a fold over it."""
        for record in self._folder.evaluations.records():
            self._fold.restore(record)
            self._source.recorded(record.proposal, record.evaluation, record.placement)
        self.status.session_evaluations = 0
        self._source.restore()


@dataclass(frozen=True)
class _Placed:
    proposal: Proposal
    evaluated: Evaluated


@contextlib.contextmanager
def _frozen() -> Iterator[None]:
    """Leaves what exists already, all modules above all, out of garbage collection: looking through it takes 0.1 s."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _same_again(kernel_id: KernelId) -> Evaluation:
    text = f"the same source, to the byte, as kernel {kernel_id[:12]}"
    return Evaluation(kernel_id, Outcome.DUPLICATE, text, duplicate_of=kernel_id)


def _lost(kernel_id: KernelId) -> Evaluation:
    return Evaluation(kernel_id, Outcome.LOST, "the worker was killed while it evaluated this kernel")
