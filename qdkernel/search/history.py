"""What the run knows that its next proposal should: elites, failures, swept constants; and the briefs made of it."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from qdkernel.core import Cell, Evaluation, Outcome, Placement, Proposal
from qdkernel.mutators import Brief, Elite, RecentFailure, ReferenceSpeeds, Sweep
from qdkernel.mutators.llm.prompts import LogLine, log_line
from qdkernel.mutators.schedule import tunables, with_values
from qdkernel.search.environment import RunEnvironment
from qdkernel.search.policies import Choice

REPAIRABLE = frozenset(
    {
        Outcome.COMPILE_ERROR,
        Outcome.WRONG,
        Outcome.CRASHED,
        Outcome.TIMEOUT,
        Outcome.POLICY_VIOLATION,
        Outcome.IMPLAUSIBLE,
    }
)
"""Outcomes that tell a model what to mend."""

_RECENT_FAILURES = 6
_LOG = 200  # lines kept for a model to look back on
_SWEEP_ROWS = 64


@dataclass
class SearchHistory:
    """What happened so far, as far as proposals want to know.

    Attributes:
        environment: the configuration on this machine.
        elites: by cell, in the order of the archive.
        correct: every kernel of the run that was proven correct and timed; kept only to draw parents at random.
        seeds: those of them that the run started from.
        lessons: what a model wrote down of this run.
        log: the latest evaluations, newest last.
    """

    environment: RunEnvironment
    elites: dict[Cell, Elite] = field(default_factory=dict)
    correct: list[Elite] = field(default_factory=list)
    seeds: list[Elite] = field(default_factory=list)
    lessons: str = ""
    log: deque[LogLine] = field(default_factory=lambda: deque(maxlen=_LOG))
    _recent_failures: deque[RecentFailure] = field(default_factory=lambda: deque(maxlen=_RECENT_FAILURES))
    _sweeps: dict[str, Sweep] = field(default_factory=dict)

    def record(self, proposal: Proposal, evaluation: Evaluation, placement: Placement, gain: float) -> None:
        """Takes note of an evaluation; ``gain`` is what it added to the QD score, in units of the best objective."""
        elite = elite_of(proposal, evaluation)
        if elite is not None:
            if placement.placed:
                self.elites[elite.cell] = elite
            if self.environment.config.search == "random-parents":
                self.correct.append(elite)
            if proposal.operator == "seed":
                self.seeds.append(elite)
        elif evaluation.outcome in REPAIRABLE | {Outcome.OUTSIDE_STAGE}:
            self._recent_failures.appendleft(RecentFailure(proposal.idea, evaluation.outcome, evaluation.detail))
        self.log.append(log_line(proposal, evaluation, gain))
        self._note_sweep(proposal, evaluation)

    @property
    def best(self) -> Elite:
        """The fastest elite.

        Raises:
            ValueError: there is none yet.
        """
        return max(self.elites.values(), key=lambda elite: elite.objective)

    def brief(self, choice: Choice, stage: str = "", permitted: frozenset[Cell] | None = None) -> Brief:
        """Everything an operator needs for one proposal.

        A best-of-N search shows its operators nothing but the seeds.
        """
        environment, alone = self.environment, self.environment.config.search == "best-of-n"
        source = choice.parent.kernel.source if choice.parent else ""
        return Brief(
            problem=environment.problem,
            machine=environment.machine,
            threads=environment.timing.threads,
            sizes=environment.timing.sizes,
            elites={} if alone else self.elites,
            parent=choice.parent,
            target=choice.target,
            stage=stage,
            permitted=permitted,
            reference_speeds=self._yardstick,
            recent_failures=() if alone else tuple(self._recent_failures),
            sweep=None if alone else self._swept(source),
            lessons="" if alone else self.lessons,
            prompt_tokens=environment.config.llm.prompt_tokens,
        )

    @cached_property
    def _yardstick(self) -> ReferenceSpeeds:
        return reference_speeds(self.environment)

    def _swept(self, source: str) -> Sweep | None:
        """What became of a kernel under other values; ``None`` when none was tried."""
        sweep = self._sweeps.get(_sweep_key(source))
        return sweep if sweep and len(sweep.rows) > 1 else None

    def _note_sweep(self, proposal: Proposal, evaluation: Evaluation) -> None:
        knobs = tunables(proposal.kernel.source)
        if not knobs or evaluation.outcome in (Outcome.LOST, Outcome.DUPLICATE):
            return
        key, names = _sweep_key(proposal.kernel.source), tuple(knob.name for knob in knobs)
        rows = self._sweeps[key].rows if key in self._sweeps else ()
        row = (tuple(knob.value for knob in knobs), evaluation.objective)
        self._sweeps[key] = Sweep(names, (*rows, row)[-_SWEEP_ROWS:])


def reference_speeds(environment: RunEnvironment) -> ReferenceSpeeds:
    """What speeds are compared with on this machine."""
    timing = environment.timing
    levels = ("scalar", *map(str, environment.machine.simd_widths))
    dtype, peaks = environment.problem.dtype.name, environment.peaks
    return ReferenceSpeeds(
        baseline=environment.baseline,
        baseline_gflops=timing.baseline_gflops,
        peak_gflops=peaks.peak_gflops(dtype, timing.threads),
        peaks={level: peaks.peak_gflops(dtype, timing.threads, level) for level in levels},
        triad_gbytes_per_s=timing.triad_gbytes_per_s,
        compiler=f"{environment.toolchain.version}, {' '.join(environment.toolchain.flags)}",
    )


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
    )


@lru_cache(maxsize=1024)  # the elites' sources, asked for with every brief
def _sweep_key(source: str) -> str:
    """The same for kernels that differ in nothing but the values of their tunable constants."""
    blank: Mapping[str, str] = {knob.name: "_" for knob in tunables(source)}
    return hashlib.sha256(with_values(source, blank).encode("utf-8", "surrogateescape")).hexdigest() if blank else ""
