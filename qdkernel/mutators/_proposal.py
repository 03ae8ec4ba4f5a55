"""What a mutator is given and what it hands back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from qdkernel.evaluators import Cell, Kernel, KernelId, Machine, Problem

Notes = Mapping[str, Any]  # Any: JSON values; what an operator wants to find again beside a kernel, e.g. its genome


@dataclass(frozen=True)
class Proposal:
    """A kernel with its origin.

    Attributes:
        kernel: the kernel proposed.
        operator: registry name of the mutator.
        idea: one line, shown to users and stored with the kernel.
        parents: the elites it was made from.
        target: the cell it was meant for.
        notes: the operator's own JSON, stored with the kernel (the schedule operator keeps its genome here).
    """

    kernel: Kernel
    operator: str
    idea: str
    parents: tuple[KernelId, ...] = ()
    target: Cell | None = None
    notes: Notes = field(default_factory=dict)


@dataclass(frozen=True)
class Elite:
    """The kernel that holds a cell, with what a mutator may want to know of it."""

    kernel: Kernel
    cell: Cell
    objective: float
    operator: str
    idea: str
    notes: Notes


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
    """

    problem: Problem
    machine: Machine
    threads: int
    sizes: tuple[Mapping[str, int], ...]
    elites: Mapping[Cell, Elite]
    parent: Elite | None
    target: Cell | None


class Mutator(Protocol):
    """Proposes kernels."""

    @property
    def name(self) -> str:
        """Registry name, as in a configuration."""

    def propose(self, brief: Brief, rng: np.random.Generator) -> Proposal | None:
        """A new kernel, or ``None`` when this operator has nothing to offer for the brief.

        All randomness comes from ``rng``: the same brief and generator state give the same proposal.
        """
