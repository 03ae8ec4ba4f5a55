"""The loop: propose, evaluate, place, until the budget is spent."""

from __future__ import annotations

import contextlib
import enum
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qdkernel.archives import Entry, KernelArchive, Placement, cell_name, parse_cell, reachable_cells
from qdkernel.evaluators import (
    Cell,
    CoreLock,
    Evaluation,
    EvaluationTask,
    Kernel,
    KernelId,
    Outcome,
    geometric_mean,
    perform,
)
from qdkernel.fan_out import FanOut
from qdkernel.mutators import MUTATORS, Brief, Elite, Mutator, Proposal
from qdkernel.run_folder import Record, RunFolder
from qdkernel.selection import Selector
from qdkernel.workplace import Workplace, seed_files

_TRIES = 8  # draws before a proposal equal to an earlier kernel is accepted: it then costs a duplicate
_CONTESTS = 2  # evaluations of a kernel whose cell changed hands while it was timed; then the holder stays


class StopReason(enum.StrEnum):
    """Why a run stopped; each has a name of its own."""

    EVALUATIONS = "evaluations"
    """The budgeted number of evaluations is done."""
    MINUTES = "minutes"
    """The budgeted time is over."""
    INTERRUPTED = "interrupted"
    """The user asked it to stop; what was under way has been finished."""
    EXHAUSTED = "exhausted"
    """No operator had anything left to propose."""


@dataclass
class Standing:
    """Where a run stands; what the display shows.

    ``evaluations`` counts those of the whole run, ``session_evaluations`` those since it was started or resumed.
    """

    evaluations: int = 0
    session_evaluations: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    elites: int = 0
    reachable: int = 0
    qd_score: float = 0.0
    best: float = 0.0
    best_ratio: float = 0.0
    news: str = ""
    elapsed_s: float = 0.0


Show = Callable[[Standing], None]


class Evolution:
    """A run in progress: archive, elites, what is under way.

    Args:
        workplace: the configuration on this machine.
        folder: the run's folder, open for writing; what it already holds is continued.
        show: told the standing after every evaluation.
    """

    def __init__(self, workplace: Workplace, folder: RunFolder, show: Show) -> None:
        self._place = workplace
        self._folder = folder
        self._show = show
        config = workplace.config
        self._lock = CoreLock()
        reachable = frozenset(reachable_cells(workplace.machine.simd_widths))
        self._archive = KernelArchive(reachable, config.timing.tie)
        self._selector = Selector(reachable, config.selection.explore, config.selection.improve)
        self._mutators: dict[str, Mutator] = {m.name: MUTATORS[m.name]() for m in config.mutators}
        weights = np.array([m.weight for m in config.mutators])
        self._shares = weights / weights.sum()
        self._rng = np.random.default_rng(np.random.SeedSequence(config.seed))
        self._elites: dict[Cell, Elite] = {}
        self._seen: set[KernelId] = set()
        self._under_way: dict[int, Proposal] = {}
        self._contests: Counter[int] = Counter()
        self._stopping = False
        self._start = time.monotonic()
        self.standing = Standing(reachable=len(reachable))

    def stop(self) -> None:
        """No more proposals; what is under way is finished. May be called from a signal handler."""
        self._stopping = True

    def run(self) -> StopReason:
        """Runs until a budget is spent, ``stop`` is called or nobody has a proposal left."""
        self._restore()
        fan_out: FanOut[EvaluationTask, Evaluation] = FanOut(perform, self._place.workers)
        proposals = self._proposals()
        reason = self._fill(fan_out, proposals)
        for done in fan_out.results():
            proposal = self._under_way[done.number]
            lost = Evaluation(proposal.kernel.id, Outcome.LOST, "the worker was killed while it evaluated this kernel")
            if self._fold(done.number, done.result or lost):
                fan_out.submit(done.number, EvaluationTask(self._place.spec, proposal.kernel))
            reason = reason or self._fill(fan_out, proposals)
            self._show(self.standing)
        assert reason is not None
        self._folder.add_event("stopped", reason.value)
        return reason

    def _computing(self) -> contextlib.AbstractContextManager[None]:
        """Held while this process computes, so not beside a benchmark; not while it waits for the disk."""
        return self._lock.shared()

    # -- proposing ------------------------------------------------------------------------------------------------

    def _fill(
        self, fan_out: FanOut[EvaluationTask, Evaluation], proposals: Iterator[tuple[int | None, Proposal]]
    ) -> StopReason | None:
        """Hands out proposals until the workers are busy; closes the fan-out and says why when there are no more."""
        while fan_out.pending < fan_out.capacity:
            reason = self._spent(fan_out.pending)
            with self._computing():
                offer = None if reason else next(proposals, None)
            if offer is None:
                fan_out.close()
                return reason or StopReason.EXHAUSTED
            number, proposal = offer
            if number is None:
                number = self._folder.add_proposal(proposal)  # before it is evaluated: a kill loses none
            self._seen.add(proposal.kernel.id)
            self._under_way[number] = proposal
            fan_out.submit(number, EvaluationTask(self._place.spec, proposal.kernel))
        return None

    def _spent(self, pending: int) -> StopReason | None:
        budget = self._place.config.budget
        if self._stopping:
            return StopReason.INTERRUPTED
        if budget.evaluations is not None and self.standing.evaluations + pending >= budget.evaluations:
            return StopReason.EVALUATIONS
        if budget.minutes is not None and time.monotonic() - self._start >= 60 * budget.minutes:
            return StopReason.MINUTES
        return None

    def _proposals(self) -> Iterator[tuple[int | None, Proposal]]:
        """Proposals, with their number in the run's folder if they have one already.

        First what a killed session left under way, then the seeds, then what the operators think of.
        """
        yield from self._folder.unfinished()
        for file in seed_files(self._place.config, self._place.problem):
            kernel = Kernel(file.read_bytes().decode("utf-8", "surrogateescape"))
            if kernel.id not in self._seen:
                yield None, Proposal(kernel, "seed", f"seed kernel {file.name}")
        while (proposal := self._propose()) is not None:
            yield None, proposal

    def _propose(self) -> Proposal | None:
        """A kernel not seen before, if the operators can think of one; ``None`` when none has anything to offer."""
        proposal = None
        for _ in range(_TRIES):
            choice = self._selector.choose(self._elites, self._rng)
            brief = Brief(
                problem=self._place.problem,
                machine=self._place.machine,
                threads=self._place.spec.threads,
                sizes=self._place.spec.sizes,
                elites=self._elites,
                parent=choice.parent,
                target=choice.target,
            )
            proposal = self._ask(brief) or proposal
            if proposal is not None and proposal.kernel.id not in self._seen:
                return proposal
        return proposal

    def _ask(self, brief: Brief) -> Proposal | None:
        """The first offer, asking the operators in an order drawn by their weights."""
        names = list(self._mutators)
        for at in self._rng.choice(len(names), size=len(names), replace=False, p=self._shares):
            proposal = self._mutators[names[at]].propose(brief, self._rng)
            if proposal is not None:
                return proposal
        return None

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
                placement = Placement.REFUSED
            proposal = self._under_way.pop(number)
            if placement in (Placement.NEW, Placement.IMPROVED):
                self._enthrone(proposal, evaluation, before)
            elif all(entry.kernel_id != evaluation.kernel_id for entry in self._archive):
                self._place.shelf.forget(evaluation.kernel_id)  # not a holder that was proposed once more
            self._remember(evaluation)
            self._count(evaluation)
        self.standing.elapsed_s = time.monotonic() - self._start
        self._folder.add_evaluation(number, evaluation, placement.value, self._state())
        return False

    def _enthrone(self, proposal: Proposal, evaluation: Evaluation, before: Entry | None) -> None:
        cell, objective = evaluation.cell, evaluation.objective
        assert cell is not None
        assert objective is not None
        self._elites[cell] = Elite(proposal.kernel, cell, objective, proposal.operator, proposal.idea, proposal.notes)
        self._place.shelf.set_holder(cell, proposal.kernel, objective)
        was = f" (was {before.objective:.1f})" if before else ""
        self.standing.news = f"{objective:.1f} GFLOP/s in {cell_name(cell)}{was}: {proposal.idea}"
        if objective >= self._archive.stats.best:
            self.standing.best_ratio = geometric_mean([timing.ratio for timing in evaluation.timings])

    def _remember(self, evaluation: Evaluation) -> None:
        """Makes the kernel known to workers, so that its equals are recognised."""
        if evaluation.outcome in (Outcome.DUPLICATE, Outcome.LOST, Outcome.TIMEOUT):
            return  # says nothing lasting about the kernel, or is known by its original
        for code in (evaluation.normal_hash, evaluation.object_hash):
            if code:
                self._place.shelf.add_known(code, evaluation.kernel_id)

    def _count(self, evaluation: Evaluation) -> None:
        standing, stats = self.standing, self._archive.stats
        standing.evaluations += 1
        standing.session_evaluations += 1
        standing.outcomes[evaluation.outcome] += 1
        standing.elites, standing.qd_score, standing.best = stats.num_elites, stats.qd_score, stats.best

    # -- going on after a stop ------------------------------------------------------------------------------------

    def _state(self) -> Mapping[str, Any]:  # Any: JSON
        return {
            "rng": self._rng.bit_generator.state,
            "aimed": {cell_name(cell): count for cell, count in self._selector.aimed.items()},
        }

    def _restore(self) -> None:
        """Rebuilds everything from the run's log: the archive is a fold over it."""
        for record in self._folder.evaluations():
            self._replay(record)
        state = self._folder.get_state("rng")
        if state is not None:
            self._rng.bit_generator.state = state
        for name, count in (self._folder.get_state("aimed") or {}).items():
            self._selector.aimed[parse_cell(name)] = count

    def _replay(self, record: Record) -> None:
        evaluation, proposal = record.evaluation, record.proposal
        self._seen.add(evaluation.kernel_id)
        self._remember(evaluation)
        if record.placement in (Placement.NEW, Placement.IMPROVED):
            assert evaluation.cell is not None
            assert evaluation.objective is not None
            before = self._archive.get(evaluation.cell)
            self._archive.put(Entry(evaluation.cell, evaluation.kernel_id, evaluation.objective))
            self._enthrone(proposal, evaluation, before)
        self._count(evaluation)
        self.standing.session_evaluations = 0
