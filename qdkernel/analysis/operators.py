"""What operators and models earned: proposals, how many were right, how many took a cell."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from qdkernel.core import Arm, Cell, Outcome, reachable_cells
from qdkernel.runs import Record, elites

Key = TypeVar("Key")


@dataclass(frozen=True)
class OperatorStats:
    """What came of some proposals.

    Attributes:
        proposals: evaluated ones.
        ok: those that were correct and timed.
        won: how often one took a cell.
        held: cells that one of them holds at the end.
    """

    proposals: int = 0
    ok: int = 0
    won: int = 0
    held: int = 0

    @property
    def ok_share(self) -> float:
        """Share of the proposals that were correct and timed; 0 without proposals."""
        return self.ok / max(1, self.proposals)


def operator_and_model(record: Record) -> Arm:
    """Operator and model of a record's kernel; a repair counts for itself, whichever arm it is a play of."""
    return Arm(record.proposal.operator, record.model or "")


def coverage(held: Collection[Cell], simd_widths: Sequence[int]) -> float:
    """Share of the cells that a machine with these SIMD widths can reach, which are filled."""
    reachable = set(reachable_cells(simd_widths))
    return sum(cell in reachable for cell in held) / max(1, len(reachable))


def qd_score(held: Mapping[Cell, Record]) -> float:
    """Sum of the elites' objectives, GFLOP/s."""
    return sum(record.evaluation.objective or 0.0 for record in held.values())


def operator_of(record: Record) -> str:
    """The operator that proposed a record's kernel, whatever model it asked."""
    return record.proposal.operator


def operator_stats(records: Iterable[Record], key: Callable[[Record], Key]) -> dict[Key, OperatorStats]:
    """What came of the records, by a key of them; those that won most cells first."""
    groups: dict[Key, list[Record]] = {}
    records = list(records)
    for record in records:
        groups.setdefault(key(record), []).append(record)
    held = {record.number for record in elites(records).values()}
    found = {
        group: OperatorStats(
            proposals=len(members),
            ok=sum(record.evaluation.outcome is Outcome.OK for record in members),
            won=sum(record.placed for record in members),
            held=sum(record.number in held for record in members),
        )
        for group, members in groups.items()
    }
    return dict(sorted(found.items(), key=lambda item: (-item[1].won, -item[1].proposals)))
