"""What a mutator is given and what it hands back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np

from qdkernel.core import Cell, Kernel, Notes, Outcome, Problem, Proposal, Timing
from qdkernel.machine import Machine


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
        evidence: why it is in its cell, a sentence per axis.
    """

    kernel: Kernel
    cell: Cell
    objective: float
    operator: str
    idea: str
    notes: Notes
    timings: tuple[Timing, ...] = ()
    evidence: Mapping[str, str] = field(default_factory=dict)


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
        rows: for each evaluation the constants' values and the GFLOP/s reached; ``None`` when it failed.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], float | None], ...]


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
    """

    baseline: str = ""
    baseline_gflops: tuple[float, ...] = ()
    peak_gflops: float = 0.0
    peaks: Mapping[str, float] = field(default_factory=dict)
    triad_gbytes_per_s: float = 0.0
    compiler: str = ""


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
    prompt_tokens: int = 8000


class Mutator(Protocol):
    """Proposes kernels."""

    @property
    def name(self) -> str:
        """Registry name, as in a configuration."""

    def propose(self, brief: Brief, rng: np.random.Generator) -> Proposal | None:
        """A new kernel, or ``None`` when this operator has nothing to offer for the brief.

        All randomness comes from ``rng``: the same brief and generator state give the same proposal.
        """


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
