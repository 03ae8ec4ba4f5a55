"""A proposed kernel and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from qdkernel.core.cells import Cell
from qdkernel.core.evaluation import Kernel, KernelId

Notes = Mapping[str, Any]  # Any: JSON values that an operator stores beside a kernel, e.g. its genome


class Arm(NamedTuple):
    """What the bandit of a run chooses among: an operator and the model it asks.

    Attributes:
        operator: registry name.
        model: name in the configuration; empty for a built-in operator.
    """

    operator: str
    model: str = ""


@dataclass(frozen=True)
class Provenance:
    """How the search came to a proposal: what is credited with its evaluation, and what its prompt contained.

    Attributes:
        arm: the arm whose play it is; ``None`` for seeds. A repair and a plan's programs belong to the arm of the
            conversation that they follow from.
        parent_cell: cell of the elite it was made from, when that was chosen.
        stage: name of the stage it was made in; empty without stages.
        repair_of: the failed kernel that it repairs.
        repairs: how many repairs led to it, 0 for none.
        sections: evolving sections of the prompt that it was written with, the version by name.
        shown: kernels that the prompt showed beside the parents, by source or in a line.
    """

    arm: Arm | None = None
    parent_cell: Cell | None = None
    stage: str = ""
    repair_of: KernelId | None = None
    repairs: int = 0
    sections: Mapping[str, int] = field(default_factory=dict)
    shown: tuple[KernelId, ...] = ()

    def to_json(self) -> dict[str, Any]:  # Any: JSON
        """As stored in a run folder."""
        return {
            "arm": None if self.arm is None else list(self.arm),
            "parent_cell": None if self.parent_cell is None else [int(level) for level in self.parent_cell],
            "stage": self.stage,
            "repair_of": self.repair_of,
            "repairs": self.repairs,
            "sections": dict(self.sections),
            "shown": list(self.shown),
        }


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
        provenance: how the search came to it.
    """

    kernel: Kernel
    operator: str
    idea: str
    parents: tuple[KernelId, ...] = ()
    target: Cell | None = None
    notes: Notes = field(default_factory=dict)
    provenance: Provenance = field(default_factory=Provenance)
