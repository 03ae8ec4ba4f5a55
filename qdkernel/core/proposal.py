"""A proposed kernel and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qdkernel.core.cells import Cell
from qdkernel.core.evaluation import Kernel, KernelId

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
