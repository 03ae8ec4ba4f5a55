"""How often a run's kernels repeat each other: shares by operator, and the largest groups of equal machine code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qdkernel.analysis import operator_and_model, repetition
from qdkernel.core import KernelId, cell_name, one_line
from qdkernel.runs import Record

GROUPS_SHOWN = 8


@dataclass(frozen=True)
class ArmRepetition:
    """Repetition among the proposals of one operator and model."""

    operator: str
    model: str
    proposals: int
    normal_forms: int
    assemblies: int
    machine_codes: int
    share_of_largest: float | None


@dataclass(frozen=True)
class CodeGroup:
    """Evaluations with equal machine code.

    Attributes:
        size: how many, those among them that were recognized before compiling.
        number: the first of them.
        cell: in words; empty when it was not measured.
        operators: that proposed them.
        idea: of the first.
    """

    size: int
    number: int
    cell: str
    operators: tuple[str, ...]
    idea: str


def repetitions(records: Sequence[Record]) -> tuple[ArmRepetition, ...]:
    """One row for each operator and model."""
    return tuple(
        ArmRepetition(
            one_line(operator),
            one_line(model),
            found.proposals,
            len(found.normal_forms.sizes),
            len(found.assemblies.sizes),
            len(found.machine_codes.sizes),
            found.machine_codes.share_of_largest,
        )
        for (operator, model), found in repetition(records, operator_and_model).items()
    )


def code_groups(records: Sequence[Record]) -> tuple[CodeGroup, ...]:
    """The largest groups with more than one member."""
    codes: dict[KernelId, str] = {}
    groups: dict[str, list[Record]] = {}
    for record in records:
        evaluation = record.evaluation
        code = evaluation.hashes.object or codes.get(evaluation.duplicate_of or evaluation.kernel_id)
        if code is not None:
            codes.setdefault(evaluation.kernel_id, code)
            groups.setdefault(code, []).append(record)
    largest = sorted((members for members in groups.values() if len(members) > 1), key=len, reverse=True)
    return tuple(_group(members) for members in largest[:GROUPS_SHOWN])


def _group(members: list[Record]) -> CodeGroup:
    first = members[0]
    operators = sorted({one_line(member.proposal.operator) for member in members})
    cell = first.evaluation.cell
    name = "" if cell is None else cell_name(cell)
    return CodeGroup(len(members), first.number, name, tuple(operators), one_line(first.proposal.idea, 200))
