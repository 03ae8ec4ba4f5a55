"""Ancestors of a kernel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from qdkernel.core import KernelId
from qdkernel.runs import Record

MAX_ANCESTORS = 30  # heuristic: a page of them; longer histories are in run.db


def first_records(records: Iterable[Record]) -> dict[KernelId, Record]:
    """The record that brought each kernel into the run."""
    first: dict[KernelId, Record] = {}
    for record in records:
        first.setdefault(record.proposal.kernel.id, record)
    return first


def lineage(record: Record, origins: Mapping[KernelId, Record]) -> list[Record]:
    """A record's ancestors, parents first, each once; those that ``origins`` does not know are left out."""
    ancestors: list[Record] = []
    seen = {record.proposal.kernel.id}
    queue = list(record.proposal.parents)
    while queue:
        kernel_id = queue.pop(0)
        if kernel_id in seen or kernel_id not in origins:
            continue
        seen.add(kernel_id)
        ancestors.append(origins[kernel_id])
        queue.extend(origins[kernel_id].proposal.parents)
    return ancestors
