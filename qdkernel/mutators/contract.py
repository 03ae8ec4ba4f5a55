"""What a mutator is given and what it hands back."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, Self, TypeVar, runtime_checkable

import numpy as np

from qdkernel.core import (
    SIMD,
    Cell,
    Interval,
    Kernel,
    KernelId,
    Notes,
    Outcome,
    Problem,
    Proposal,
    SampledSpeed,
    Threading,
    Timing,
    sampled_speed,
)
from qdkernel.evaluators.measurement import CoreFacts
from qdkernel.machine import Machine
from qdkernel.mutators.skills import Skill


@dataclass(frozen=True)
class Elite:
    """The kernel that holds a cell, with what a mutator may need of it.

    Attributes:
        kernel: the kernel.
        cell: its measured behaviour.
        objective: GFLOP/s.
        operator: that proposed it.
        idea: one line.
        notes: its operator's own JSON.
        timings: one per scored size.
        evidence: why it is in its cell, a sentence per axis; ``hot loop`` counts its instructions.
        parents: the kernels it was made from.
    """

    kernel: Kernel
    cell: Cell
    objective: float
    operator: str
    idea: str
    notes: Notes
    timings: tuple[Timing, ...] = ()
    evidence: Mapping[str, str] = field(default_factory=dict)
    parents: tuple[KernelId, ...] = ()

    @cached_property
    def speed(self) -> SampledSpeed | None:
        """How fast it is by its samples; ``None`` without samples."""
        return sampled_speed(self.timings)


@dataclass(frozen=True)
class Attempt:
    """A kernel that was tried in a cell: aimed at the cell, or measured in it.

    Attributes:
        kernel_id: which kernel.
        operator: that proposed it.
        idea: one line.
        target: the cell aimed at.
        outcome: how its evaluation ended; ``None`` while it is not timed yet.
        cell: its measured behaviour; ``None`` when it was not measured.
        evidence: why it is in that cell, a sentence per axis.
        speed: by its samples; ``None`` when it was not timed.
        placed: whether it took its cell.
    """

    kernel_id: KernelId
    operator: str
    idea: str
    target: Cell | None
    outcome: Outcome | None = None
    cell: Cell | None = None
    evidence: Mapping[str, str] = field(default_factory=dict)
    speed: SampledSpeed | None = None
    placed: bool = False


@dataclass(frozen=True)
class InFlight:
    """A request that a model has not answered yet: its operator, where it starts, its target and its task.

    Attributes:
        operator: e.g. ``edit``.
        parents: the elites it starts from.
        target: the cell aimed at.
        strategy: the strategy that it was given; empty for none.
    """

    operator: str
    parents: tuple[KernelId, ...]
    target: Cell | None
    strategy: str = ""


@dataclass(frozen=True)
class StrategyResult:
    """What became of a strategy of a plan.

    Attributes:
        strategy: the plan's words.
        attempt: the kernel that was written for it; ``None`` while there is none.
    """

    strategy: str
    attempt: Attempt | None = None


@dataclass(frozen=True)
class RecentFailure:
    """A proposal that failed, for the next prompt to learn from: its idea, how it ended and why."""

    idea: str
    outcome: Outcome
    detail: str


@dataclass(frozen=True)
class Sweep:
    """What became of a kernel under other values of its tunable constants.

    Attributes:
        names: the constants, in the order of their lines.
        rows: for each evaluation the constants' values and the GFLOP/s reached with their interval; ``None`` when it
            failed.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], Interval | None], ...]


@dataclass(frozen=True)
class ReferenceSpeeds:
    """What speeds are compared with.

    Attributes:
        baseline: name and version of the baseline.
        baseline_gflops: its GFLOP/s, one per scored size.
        peak_gflops: measured peak with the run's threads, in the problem's dtype; 0 when not measured.
        peaks: the same by SIMD level, narrowest first.
        triad_gbytes_per_s: measured STREAM triad with the run's threads; 0 when not measured.
        compiler: version and flags, as shown to a person.
        core: what one core does in a cycle; ``None`` when not measured.
    """

    baseline: str = ""
    baseline_gflops: tuple[float, ...] = ()
    peak_gflops: float = 0.0
    peaks: Mapping[str, float] = field(default_factory=dict)
    triad_gbytes_per_s: float = 0.0
    compiler: str = ""
    core: CoreFacts | None = None

    def ceiling_gflops(self, cell: Cell, threads: int) -> float:
        """The measured peak of a cell's SIMD level, of one thread for a serial cell; 0 when not measured."""
        peak = self.peaks.get(SIMD.levels[cell.simd], self.peak_gflops)
        return peak / threads if cell.threading == Threading.SERIAL else peak


@dataclass(frozen=True)
class Brief:
    """Everything a mutator needs for one proposal.

    Attributes:
        problem: what is computed.
        machine: the machine the kernels are timed on.
        threads: OpenMP threads while scoring.
        sizes: the scored sizes.
        elites: the archive's elites by cell.
        parent: the elite to start from; ``None`` while the archive is empty.
        target: the cell to aim at; ``None`` for no preference.
        stage: name of the stage the proposal is made in; empty without stages.
        permitted: the cells that the stage permits; ``None`` for all.
        reference_speeds: baseline, peaks and compiler.
        recent_failures: recent failures, newest first.
        sweep: the parent under other values of its tunable constants, when it was swept.
        lessons: what the run has learned so far, in a model's words; empty at first.
        prompt_tokens: the most that a prompt may take.
        attempts: what was tried in the target's cell, or without a target in the parent's, newest first.
        in_flight: requests that other models, or the same one, are answering meanwhile.
        last_plan: what became of the strategies of the last plan.
        skills: techniques of the library for the target.
    """

    problem: Problem
    machine: Machine
    threads: int
    sizes: tuple[Mapping[str, int], ...]
    elites: Mapping[Cell, Elite]
    parent: Elite | None
    target: Cell | None
    stage: str = ""
    permitted: frozenset[Cell] | None = None
    reference_speeds: ReferenceSpeeds = field(default_factory=ReferenceSpeeds)
    recent_failures: tuple[RecentFailure, ...] = ()
    sweep: Sweep | None = None
    lessons: str = ""
    prompt_tokens: int = 6000
    attempts: tuple[Attempt, ...] = ()
    in_flight: tuple[InFlight, ...] = ()
    last_plan: tuple[StrategyResult, ...] = ()
    skills: tuple[Skill, ...] = ()


class Mutator(Protocol):
    """Proposes kernels."""

    @property
    def name(self) -> str:
        """Registry name, as in a configuration."""

    def propose(self, brief: Brief, rng: np.random.Generator) -> Proposal | None:
        """A new kernel, or ``None`` when this operator has nothing to offer for the brief.

        All randomness comes from ``rng``: the same brief and generator state give the same proposal.
        """


@dataclass(frozen=True)
class Draft:
    """A draw whose kernel is not printed yet: the search draws many, and prints the one that is evaluated.

    Attributes:
        key: equal for drafts of the same kernel.
        genome: the choices that the kernel is printed from, as in the notes of its proposal; ``None`` for a kernel
            without.
        parents: of the proposal.
        proposal: prints the kernel.
    """

    key: Hashable
    genome: Notes | None
    parents: tuple[KernelId, ...]
    proposal: Callable[[], Proposal]

    @classmethod
    def of(cls, proposal: Proposal) -> Self:
        """Of a kernel that is printed already."""
        return cls(proposal.kernel.id, proposal.notes.get("genome"), proposal.parents, lambda: proposal)


@runtime_checkable
class Drafter(Protocol):
    """Draws without printing; a mutator that has this method as well is screened at less cost."""

    def drafts(self, brief: Brief, count: int, rng: np.random.Generator) -> Sequence[Draft]:
        """Up to ``count`` draws, fewer when this operator has less to offer for the brief.

        Those known to be elites of the brief are left out. All randomness comes from ``rng``.
        """

    def further(self, draft: Draft, brief: Brief, count: int, rng: np.random.Generator) -> Sequence[Draft]:
        """As ``drafts``, but starting from a draft of this operator for the same brief; none where it cannot."""


def drafter_of(mutator: Mutator) -> Drafter:
    """The mutator itself, or its proposals as drafts."""
    return mutator if isinstance(mutator, Drafter) else _Proposing(mutator)


@dataclass(frozen=True)
class _Proposing:
    mutator: Mutator

    def drafts(self, brief: Brief, count: int, rng: np.random.Generator) -> Sequence[Draft]:
        proposals = [self.mutator.propose(brief, rng) for _ in range(count)]
        return [Draft.of(proposal) for proposal in proposals if proposal is not None]

    def further(self, draft: Draft, brief: Brief, count: int, rng: np.random.Generator) -> Sequence[Draft]:
        return ()


class Declared(Protocol):
    """What every declaration of an operator has."""

    @property
    def name(self) -> str:
        """Registry name, as in a configuration."""


Declaration = TypeVar("Declaration", bound=Declared)


def by_name(declarations: Iterable[Declaration]) -> dict[str, Declaration]:
    """The registry of some declarations.

    Raises:
        ValueError: a name is declared twice.
    """
    found: dict[str, Declaration] = {}
    for operator in declarations:
        if operator.name in found:
            raise ValueError(f"expected each operator once, got a second {operator.name!r}; give it another name")
        found[operator.name] = operator
    return found
