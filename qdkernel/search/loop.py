"""The loop: propose, evaluate, place, until the budget is spent; then remeasurements at every elite."""

from __future__ import annotations

import contextlib
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from qdkernel.archives import Entry, KernelArchive
from qdkernel.backends import FanOut
from qdkernel.core import (
    Cell,
    Evaluation,
    Fault,
    KernelId,
    Outcome,
    Placement,
    Proposal,
    RunStatus,
    StopReason,
    cell_name,
    geometric_mean,
)
from qdkernel.evaluators.pipeline import EvaluationTask, perform
from qdkernel.machine import CoreLock
from qdkernel.runs import Record, RunFolder, elites
from qdkernel.search.environment import RunEnvironment
from qdkernel.search.proposer import Offer, Source

_PASSES = 4  # over the elites that are still in doubt; on a quiet host nearly all agree after the first
_LOOKS_SHARE = 0.5  # of the time before; a host that is never quiet would cost four whole passes
_AGREE = (
    0.04  # relative difference of two measurements that agree; by thought: a little less than the 5 % to be promised
)
_CONTESTS = 2  # evaluations of a kernel whose cell changed hands while it was timed; then the holder stays
_UNLIMITED_COST = 1e-6  # of an evaluation where neither their number nor time is limited: little, and the same for all

Show = Callable[[RunStatus], None]
Evaluations = FanOut[EvaluationTask, Evaluation]


class Evolution:
    """A run in progress: archive, what is under way, where it stands.

    Args:
        environment: the configuration on this machine.
        folder: the run's folder, open for writing; what it already holds is continued.
        archive: empty; it is rebuilt from the folder.
        source: where proposals come from.
        spent: names the budget that is spent beside evaluations and minutes, e.g. the models'.
        show: told the standing after every evaluation.
    """

    def __init__(
        self,
        environment: RunEnvironment,
        folder: RunFolder,
        archive: KernelArchive,
        source: Source,
        spent: Callable[[], StopReason | None],
        show: Show,
    ) -> None:
        self._place = environment
        self._folder = folder
        self._archive = archive
        self._source = source
        self._models_spent = spent
        self._show = show
        self._lock = CoreLock()
        self._under_way: dict[int, Offer] = {}
        self._contests: Counter[int] = Counter()
        self._holders: dict[Cell, tuple[int, Proposal]] = {}  # the evaluation that won each cell
        self._objectives: dict[int, list[float]] = {}  # objectives measured so far, by the evaluation that won a cell
        self._judged: set[KernelId] = set()
        self._stopping = False
        self._start = time.monotonic()
        self.status = RunStatus(reachable=len(archive.reachable))

    def stop(self) -> None:
        """No more proposals; what is under way is finished. May be called from a signal handler."""
        self._stopping = True

    def run(self) -> StopReason:
        """Runs until a budget is spent, ``stop`` is called or nobody has a proposal left."""
        self._restore()
        fan_out: Evaluations = FanOut(perform, self._place.workers)
        reason = self._fill(fan_out)
        for done in fan_out.results():
            if done is not None:
                offer = self._under_way[done.number]
                if self._fold(done.number, done.result or _lost(offer.proposal.kernel.id)):
                    fan_out.submit(done.number, self._task(offer))
                self._show(self.status)
            elif not fan_out.pending:  # otherwise the display would compute beside a benchmark
                self.status.elapsed_s = time.monotonic() - self._start
                self._source.update_status(self.status)
                self._show(self.status)
            reason = reason or self._fill(fan_out)
        assert reason is not None
        if self._place.config.timing.remeasure and reason is not StopReason.INTERRUPTED:
            self._remeasure_elites()
        self._folder.add_event("stopped", reason.value)
        return reason

    def _computing(self) -> contextlib.AbstractContextManager[None]:
        """Held while this process computes, so not beside a benchmark; not while it waits for the disk."""
        return self._lock.shared()

    # -- proposing ------------------------------------------------------------------------------------------------

    def _fill(self, fan_out: Evaluations) -> StopReason | None:
        """Hands out proposals until the workers are busy; closes the fan-out and says why when there are no more."""
        while fan_out.pending < fan_out.capacity:
            reason = self._spent(fan_out.pending)
            offer = None
            if reason is None:
                with self._computing():
                    offer = self._source.next()
            if offer is None:
                if reason is None and (fan_out.pending or self._source.waiting):
                    return None
                fan_out.close()
                return reason or self._spent(0) or self._source.ending  # asking may have shown what is spent
            number = offer.number
            if number is None:
                number = self._folder.add_proposal(offer.proposal)  # before it is evaluated: a kill loses none
            self._under_way[number] = offer
            if (kernel := offer.proposal.kernel.id) in self._judged:
                self._fold(number, _same_again(kernel))
            else:
                fan_out.submit(number, self._task(offer))
        return None

    def _task(self, offer: Offer) -> EvaluationTask:
        return EvaluationTask(self._place.spec, offer.proposal.kernel, offer.accept)

    def _spent(self, pending: int) -> StopReason | None:
        budget = self._place.config.budget
        if self._stopping:
            return StopReason.INTERRUPTED
        if budget.evaluations is not None and self.status.evaluations + pending >= budget.evaluations:
            return StopReason.EVALUATIONS
        if budget.minutes is not None and time.monotonic() - self._start >= 60 * budget.minutes:
            return StopReason.MINUTES
        return self._models_spent()

    # -- placing --------------------------------------------------------------------------------------------------

    def _fold(self, number: int, evaluation: Evaluation) -> bool:
        """Places and commits an evaluation; true when it must be evaluated again, against a new holder."""
        with self._computing():
            before = self._archive.get(evaluation.cell) if evaluation.cell else None
            placement = self._archive.offer(evaluation)
            if placement is Placement.CONTESTED:
                if self._contests[number] < _CONTESTS:
                    self._contests[number] += 1
                    return True
                placement = Placement.NOT_ADDED
            offer = self._under_way.pop(number)
            proposal = offer.proposal
            if placement.placed:
                self._install_elite(proposal, evaluation, before)
            elif all(entry.kernel_id != evaluation.kernel_id for entry in self._archive):
                self._place.scratch.forget(evaluation.kernel_id)  # not a holder that was proposed once more
            self._remember(evaluation)
            self._count(evaluation)
            gain = self._gain(evaluation, placement, before)
            self._source.evaluated(number, offer, evaluation, placement, gain, self._cost(evaluation))
        self.status.elapsed_s = time.monotonic() - self._start
        self._source.update_status(self.status)
        record = self._folder.add_evaluation(number, evaluation, placement.value, self._source.state())
        if placement.placed and evaluation.cell is not None:
            self._take_cell(evaluation.cell, record, proposal, evaluation)
        if evaluation.duel and evaluation.duel.fault:
            self._recount(elites(self._folder.evaluations()))
        return False

    def _take_cell(self, cell: Cell, record: int, proposal: Proposal, evaluation: Evaluation) -> None:
        assert evaluation.objective is not None
        self._holders[cell] = (record, proposal)
        self._objectives[record] = [evaluation.objective]

    def _install_elite(self, proposal: Proposal, evaluation: Evaluation, before: Entry | None) -> None:
        cell, objective = evaluation.cell, evaluation.objective
        assert cell is not None
        assert objective is not None
        self._place.scratch.set_incumbent(cell, proposal.kernel, objective)
        was = f" (was {before.objective:.1f})" if before else ""
        self.status.news = f"{objective:.1f} GFLOP/s in {cell_name(cell)}{was}: {proposal.idea}"
        self._note_best(evaluation)

    def _note_best(self, evaluation: Evaluation) -> None:
        if (evaluation.objective or 0.0) >= self._archive.stats.best:
            self.status.best_ratio = geometric_mean([timing.ratio for timing in evaluation.timings])

    def _remember(self, evaluation: Evaluation) -> None:
        """Makes the kernel known to workers, so that its equals are recognised."""
        if evaluation.outcome in (Outcome.DUPLICATE, Outcome.LOST, Outcome.TIMEOUT, Outcome.OUTSIDE_STAGE):
            return  # says nothing lasting about the kernel, or is known by its original
        for code in (evaluation.normal_hash, evaluation.object_hash):
            if code:
                self._place.scratch.add_known(code, evaluation.kernel_id)

    def _count(self, evaluation: Evaluation) -> None:
        status = self.status
        if evaluation.outcome not in (Outcome.LOST, Outcome.TIMEOUT, Outcome.OUTSIDE_STAGE):
            self._judged.add(evaluation.kernel_id)  # the others may end otherwise another time
        status.evaluations += 1
        status.session_evaluations += 1
        status.outcomes[evaluation.outcome] += 1
        self._count_elites()

    def _count_elites(self) -> None:
        status, stats = self.status, self._archive.stats
        status.elites, status.qd_score, status.best = stats.num_elites, stats.qd_score, stats.best

    def _recount(self, held: Mapping[Cell, Record]) -> None:
        """Counts again after a record was retracted; ``held``: who holds each cell now, by the log."""
        self.status.outcomes = Counter(self._folder.counts_by_outcome())
        for record in held.values():
            self._note_best(record.evaluation)
        self._count_elites()

    def _gain(self, evaluation: Evaluation, placement: Placement, before: Entry | None) -> float:
        """What an evaluation added to the QD score, in units of the best objective."""
        if not placement.placed or evaluation.objective is None:
            return 0.0
        gained = evaluation.objective - (before.objective if before else 0.0)
        return max(0.0, gained) / self._archive.stats.best

    def _cost(self, evaluation: Evaluation) -> float:
        """An evaluation as a share of the budget: of the evaluations, and of the workers' time."""
        budget = self._place.config.budget
        if budget.evaluations is None and budget.minutes is None:
            return _UNLIMITED_COST
        seconds = sum(s for step, s in evaluation.step_s.items() if step not in ("wait", "kernels"))
        share = 1 / budget.evaluations if budget.evaluations else 0.0
        if budget.minutes:
            share += seconds / (60 * budget.minutes * self._place.workers)
        return share

    # -- remeasurement --------------------------------------------------------------------------------------------

    def _remeasure_elites(self) -> None:
        """Times every elite again, until its two best measurements agree; the best counts.

        Disturbances of a host last for tens of seconds and only slow kernels down, so each pass measures all
        elites, and two measurements of one elite that agree were undisturbed or equally disturbed. All passes after
        the first together take at most half as long as the session before.
        """
        begin, deadline = time.monotonic(), math.inf
        for _ in range(_PASSES):
            doubtful = {
                record: cell for cell, (record, _) in sorted(self._holders.items()) if not self._settled(record)
            }
            if doubtful:
                self._pass(doubtful, deadline)
            deadline = begin + _LOOKS_SHARE * (begin - self._start)

    def _settled(self, record: int) -> bool:
        best = sorted(self._objectives[record], reverse=True)[:2]
        return len(best) == 2 and best[1] >= (1 - _AGREE) * best[0]

    def _pass(self, doubtful: Mapping[int, Cell], deadline: float) -> None:
        fan_out: Evaluations = FanOut(perform, self._place.workers)
        tasks = self._remeasure_tasks(doubtful, deadline)
        _hand_in(fan_out, tasks)
        for so_far, done in enumerate((done for done in fan_out.results() if done is not None), 1):
            if done.result is not None:
                self._fold_remeasurement(doubtful[done.number], done.number, done.result)
            self.status.news = f"elites are timed again: {so_far} of {len(doubtful)}"
            self.status.elapsed_s = time.monotonic() - self._start
            self._show(self.status)
            _hand_in(fan_out, tasks)

    def _remeasure_tasks(self, doubtful: Mapping[int, Cell], deadline: float) -> Iterator[tuple[int, EvaluationTask]]:
        for record, cell in doubtful.items():
            if self._stopping or time.monotonic() > deadline:
                return
            yield record, EvaluationTask(self._place.spec, self._holders[cell][1].kernel, again=True)

    def _fold_remeasurement(self, cell: Cell, record: int, evaluation: Evaluation) -> None:
        """A faster measurement counts, a failed one costs the cell, and one that came to nothing says nothing."""
        outcome = evaluation.outcome
        if outcome is Outcome.OK:
            self._folder.add_remeasurement(record, evaluation)
            self._take_speed(cell, record, evaluation)
        elif outcome in (Outcome.WRONG, Outcome.CRASHED):
            self._take_fault(cell, evaluation)
        elif outcome is not Outcome.LOST:
            text = f"{cell_name(cell)}: timed again, its kernel ended {outcome}: {evaluation.detail}"
            self._folder.add_event("remeasure", text)

    def _take_speed(self, cell: Cell, record: int, evaluation: Evaluation) -> None:
        entry = self._archive.get(cell)
        assert entry is not None
        assert evaluation.objective is not None
        self._objectives[record].append(evaluation.objective)
        if evaluation.objective > entry.objective:
            self._archive.put(replace(entry, objective=evaluation.objective))
            self._note_best(evaluation)
        self._count_elites()

    def _take_fault(self, cell: Cell, evaluation: Evaluation) -> None:
        """An elite failed when it was timed again: who held its cell before holds it again, or nobody does."""
        self._folder.retract(evaluation.kernel_id, Fault(evaluation.outcome, evaluation.detail))
        held = elites(self._folder.evaluations())
        if cell in held:
            self._restore_elite(held[cell])
        else:
            self._archive.remove(cell)
            self._place.scratch.remove_holder(cell)
            del self._holders[cell]
        self._recount(held)

    # -- going on after a stop ------------------------------------------------------------------------------------

    def _restore(self) -> None:
        """Rebuilds everything from the run's log: the archive is a fold over it."""
        for record in self._folder.evaluations():
            self._replay(record)
        self.status.session_evaluations = 0
        self._source.restore()

    def _replay(self, record: Record) -> None:
        evaluation, proposal = record.evaluation, record.proposal
        self._remember(evaluation)
        if record.placed:
            self._restore_elite(record)
        self._count(evaluation)
        self._source.recorded(proposal, evaluation, Placement(record.placement))

    def _restore_elite(self, record: Record) -> None:
        """Gives its cell to a record's kernel, as the log says."""
        evaluation, proposal = record.evaluation, record.proposal
        assert evaluation.cell is not None
        assert evaluation.objective is not None
        before = self._archive.get(evaluation.cell)
        self._archive.put(Entry(evaluation.cell, evaluation.kernel_id, evaluation.objective))
        self._install_elite(proposal, evaluation, before)
        self._take_cell(evaluation.cell, record.number, proposal, evaluation)


def _hand_in(fan_out: Evaluations, tasks: Iterator[tuple[int, EvaluationTask]]) -> None:
    while fan_out.pending < fan_out.capacity:
        task = next(tasks, None)
        if task is None:
            fan_out.close()
            return
        fan_out.submit(*task)


def _same_again(kernel_id: KernelId) -> Evaluation:
    text = f"the same source, to the byte, as kernel {kernel_id[:12]}"
    return Evaluation(kernel_id, Outcome.DUPLICATE, text, duplicate_of=kernel_id)


def _lost(kernel_id: KernelId) -> Evaluation:
    return Evaluation(kernel_id, Outcome.LOST, "the worker was killed while it evaluated this kernel")
