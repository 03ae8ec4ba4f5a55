"""Ancestors of a kernel."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from qdkernel.core import KernelId
from qdkernel.runs import Record

MAX_ANCESTORS = 30  # heuristic: a page of them; longer histories are in run.db


def first_records(records: Iterable[Record]) -> dict[KernelId, Record]:
    """The record that brought each kernel into the run."""
    first: dict[KernelId, Record] = {}
    for record in records:
        first.setdefault(record.evaluation.kernel_id, record)
    return first


def lineage(record: Record, origins: Mapping[KernelId, Record], most: int | None = None) -> list[Record]:
    """A record's ancestors, parents first, each once; those that ``origins`` lacks are left out.

    Args:
        record: of the youngest kernel.
        origins: from ``first_records``.
        most: how many at the most; ``None`` for all.
    """
    ancestors: list[Record] = []
    seen = {record.evaluation.kernel_id}
    queue = deque(record.proposal.parents)
    while queue and (most is None or len(ancestors) < most):
        kernel_id = queue.popleft()
        if kernel_id in seen or kernel_id not in origins:
            continue
        seen.add(kernel_id)
        ancestors.append(origins[kernel_id])
        queue.extend(origins[kernel_id].proposal.parents)
    return ancestors


def first_parent(record: Record, origins: Mapping[KernelId, Record]) -> Record | None:
    """The first of a record's parents that ``origins`` has."""
    return next((origins[parent] for parent in record.proposal.parents if parent in origins), None)


def gain(record: Record, origins: Mapping[KernelId, Record]) -> float | None:
    """A kernel's speed over that of its first parent; ``None`` where one of the two was not timed."""
    parent = first_parent(record, origins)
    before, after = parent and parent.evaluation.objective, record.evaluation.objective
    return after / before if before and after else None
