"""The history that proposals are based on: elites, failures, swept constants, lessons."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from qdkernel.core import Cell, Evaluation, Interval, KernelId, Outcome, Placement, Proposal, sampled_speed
from qdkernel.mutators import Attempt, Elite, RecentFailure, StrategyResult, Sweep
from qdkernel.mutators.llm.prompts import LogLine, log_line
from qdkernel.mutators.schedule import tunables, with_values

REPAIRABLE = frozenset(
    {
        Outcome.COMPILE_ERROR,
        Outcome.WRONG,
        Outcome.RACE,
        Outcome.CRASHED,
        Outcome.TIMEOUT,
        Outcome.POLICY_VIOLATION,
        Outcome.IMPLAUSIBLE,
    }
)
"""Outcomes whose detail a model can act on."""

_RECENT_FAILURES = 6
_LOG = 200  # lines kept for a model to look back on
_SWEEP_ROWS = 64
_ATTEMPTS = 500  # of models, and of built-in operators those that took a cell


@dataclass
class SearchHistory:
    """What happened so far, as far as proposals use it.

    Attributes:
        elites: by cell, in the order of the archive.
        lessons: what a model wrote down of this run.
        log: the latest evaluations, newest last.
    """

    elites: dict[Cell, Elite] = field(default_factory=dict)
    lessons: str = ""
    log: deque[LogLine] = field(default_factory=lambda: deque(maxlen=_LOG))
    _recent_failures: deque[RecentFailure] = field(default_factory=lambda: deque(maxlen=_RECENT_FAILURES))
    _sweeps: dict[str, Sweep] = field(default_factory=dict)
    _attempts: dict[KernelId, Attempt] = field(default_factory=dict)
    _attempts_at: dict[Cell, dict[KernelId, Attempt]] = field(default_factory=dict)
    _last_plan: dict[str, StrategyResult] = field(default_factory=dict)
    _last_plan_number: int = 0

    def record(self, proposal: Proposal, evaluation: Evaluation, placement: Placement, gain: float) -> Elite | None:
        """Adds an evaluation.

        Args:
            proposal: the kernel with its origin.
            evaluation: what happened to it.
            placement: what the archive did with it.
            gain: what it added to the QD score, in units of the best objective.

        Returns:
            The kernel as an elite, whether or not it took its cell; ``None`` unless it ended ``ok``.
        """
        elite = elite_of(proposal, evaluation)
        if elite is not None:
            if placement.placed:
                self.elites[elite.cell] = elite
        elif evaluation.outcome in REPAIRABLE | {Outcome.OUTSIDE_STAGE}:
            self._recent_failures.appendleft(RecentFailure(proposal.idea, evaluation.outcome, evaluation.detail))
        self.log.append(log_line(proposal, evaluation, gain))
        if _of_model(proposal) or placement.placed:
            self._note_attempt(proposal, _attempt(proposal, evaluation, placement.placed))
        self._note_sweep(proposal, evaluation)
        return elite

    @property
    def best(self) -> Elite:
        """The fastest elite.

        Raises:
            ValueError: there is none yet.
        """
        return max(self.elites.values(), key=lambda elite: elite.objective)

    @property
    def recent_failures(self) -> tuple[RecentFailure, ...]:
        """Newest first."""
        return tuple(self._recent_failures)

    def waits(self, proposal: Proposal) -> None:
        """A model's kernel is written, but not timed yet; ``record`` follows."""
        self._note_attempt(proposal, Attempt(proposal.kernel.id, proposal.operator, proposal.idea, proposal.target))

    def plans(self, number: int, strategies: Iterable[str]) -> None:
        """A plan was handed out."""
        self._last_plan_number = number
        self._last_plan = {strategy: StrategyResult(strategy) for strategy in strategies}

    @property
    def last_plan(self) -> tuple[StrategyResult, ...]:
        """What became of the strategies of the last plan."""
        return tuple(self._last_plan.values())

    def attempts_at(self, cell: Cell | None) -> tuple[Attempt, ...]:
        """What was tried in a cell: aimed at it or measured in it; newest first."""
        return tuple(reversed(self._attempts_at.get(cell, {}).values())) if cell is not None else ()

    def sweep_of(self, source: str) -> Sweep | None:
        """What became of a kernel under other values of its constants; ``None`` when none was tried."""
        sweep = self._sweeps.get(_sweep_key(source))
        return sweep if sweep and len(sweep.rows) > 1 else None

    def _note_attempt(self, proposal: Proposal, attempt: Attempt) -> None:
        known = self._attempts.get(attempt.kernel_id)
        if known is not None and known.outcome is Outcome.OK:
            return  # the same kernel proposed once more
        self._forget_attempt(attempt.kernel_id)
        self._attempts[attempt.kernel_id] = attempt
        for cell in _cells_of(attempt):
            self._attempts_at.setdefault(cell, {})[attempt.kernel_id] = attempt
        if len(self._attempts) > _ATTEMPTS:
            self._forget_attempt(next(iter(self._attempts)))
        if proposal.operator != "program":
            return
        plan, strategy = proposal.notes["plan"], proposal.notes["strategy"]
        if plan < self._last_plan_number:
            return
        if plan > self._last_plan_number:  # of an earlier session
            self.plans(plan, ())
        self._last_plan[strategy] = StrategyResult(strategy, attempt)

    def _forget_attempt(self, kernel_id: KernelId) -> None:
        attempt = self._attempts.pop(kernel_id, None)
        for cell in _cells_of(attempt) if attempt else ():
            del self._attempts_at[cell][kernel_id]

    def _note_sweep(self, proposal: Proposal, evaluation: Evaluation) -> None:
        knobs = tunables(proposal.kernel.source)
        if not knobs or evaluation.outcome in (Outcome.LOST, Outcome.DUPLICATE):
            return
        key, names = _sweep_key(proposal.kernel.source), tuple(knob.name for knob in knobs)
        rows = self._sweeps[key].rows if key in self._sweeps else ()
        row = (tuple(knob.value for knob in knobs), _speed(evaluation))
        self._sweeps[key] = Sweep(names, (*rows, row)[-_SWEEP_ROWS:])


def elite_of(proposal: Proposal, evaluation: Evaluation) -> Elite | None:
    """An evaluated proposal as a mutator sees it; ``None`` unless it ended ``ok``."""
    if evaluation.cell is None or evaluation.objective is None:
        return None
    return Elite(
        proposal.kernel,
        evaluation.cell,
        evaluation.objective,
        proposal.operator,
        proposal.idea,
        proposal.notes,
        evaluation.timings,
        evaluation.evidence,
        proposal.parents,
    )


def _speed(evaluation: Evaluation) -> Interval | None:
    """GFLOP/s with the relative interval of the ratio to the baseline; ``None`` when the kernel was not timed."""
    if evaluation.score is None:
        return None
    speed = sampled_speed(evaluation.score.timings)
    if speed is None:
        return Interval(evaluation.score.objective, evaluation.score.objective, evaluation.score.objective)
    low, high = speed.ratio.low / speed.ratio.median, speed.ratio.high / speed.ratio.median
    return Interval(speed.fast, speed.fast * low, speed.fast * high)


def _of_model(proposal: Proposal) -> bool:
    return proposal.provenance.arm is not None and bool(proposal.provenance.arm.model)


def _attempt(proposal: Proposal, evaluation: Evaluation, placed: bool) -> Attempt:
    return Attempt(
        proposal.kernel.id,
        proposal.operator,
        proposal.idea,
        proposal.target,
        evaluation.outcome,
        evaluation.cell,
        evaluation.evidence,
        sampled_speed(evaluation.score.timings) if evaluation.score else None,
        placed,
    )


def _cells_of(attempt: Attempt) -> set[Cell]:
    return {cell for cell in (attempt.target, attempt.cell) if cell is not None}


@lru_cache(maxsize=1024)  # the elites' sources, asked for with every brief
def _sweep_key(source: str) -> str:
    """The same for kernels that differ in nothing but the values of their tunable constants."""
    blank: Mapping[str, str] = {knob.name: "_" for knob in tunables(source)}
    return hashlib.sha256(with_values(source, blank).encode("utf-8", "surrogateescape")).hexdigest() if blank else ""
