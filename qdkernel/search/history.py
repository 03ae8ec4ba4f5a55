"""The history that proposals are based on: elites, failures, swept constants, lessons."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from qdkernel.core import Cell, Evaluation, Outcome, Placement, Proposal
from qdkernel.mutators import Elite, RecentFailure, Sweep
from qdkernel.mutators.llm.prompts import LogLine, log_line
from qdkernel.mutators.schedule import tunables, with_values

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
"""Outcomes whose detail a model can act on."""

_RECENT_FAILURES = 6
_LOG = 200  # lines kept for a model to look back on
_SWEEP_ROWS = 64


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

    def sweep_of(self, source: str) -> Sweep | None:
        """What became of a kernel under other values of its constants; ``None`` when none was tried."""
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
