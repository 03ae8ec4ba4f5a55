"""Which records a data set holds: selection, near-duplicates, split by lineage and problem."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence

from qdkernel.core import Outcome, Placement
from qdkernel.errors import ConfigError
from qdkernel.export.contract import Only, Selection
from qdkernel.export.record import ExportRecord

Splits = dict[str, list[ExportRecord]]
"""Records by the name of their split: ``train``, and ``test`` when some are held out."""


def chosen(records: Iterable[ExportRecord], only: Only) -> list[ExportRecord]:
    """The elites, the kernels that ever took a cell (and did not fail later), or all records."""
    keep: dict[Only, Callable[[ExportRecord], bool]] = {
        "elites": lambda record: record.elite,
        "improvements": lambda record: Placement(record.placement).placed and record.outcome is Outcome.OK,
        "all": lambda record: True,
    }
    return [record for record in records if keep[only](record)]


def for_training(records: Iterable[ExportRecord], selection: Selection, default: Only) -> Splits:
    """Records that say something about their kernel, without near-duplicates and overlong ones, in splits.

    Raises:
        ConfigError: nothing is left, or nothing can be held out.
    """
    kept = chosen(records, selection.only or default)
    kept = [record for record in kept if record.reward.judged and selection.admits(*_texts(record))]
    if not kept:
        raise ConfigError(
            "expected a kernel to export, but the runs hold none that the selection admits; "
            "try --only all, or leave --max-chars and --max-tokens out"
        )
    return split_by_lineage(without_near_duplicates(kept), records, selection.split)


def without_near_duplicates(records: Sequence[ExportRecord]) -> list[ExportRecord]:
    """One record, the fastest, of those on one machine with equal object code, equal -O0 assembly, or equal id."""
    ranked = sorted(records, key=lambda record: -record.timing.gflops)
    seen: set[Hashable] = set()
    kept: set[tuple[str, int]] = set()
    for record in ranked:
        keys = [(record.hardware.fingerprint, key) for key in code_keys(record)]
        if seen.isdisjoint(keys):
            kept.add((record.run, record.evaluation))
        seen.update(keys)
    return [record for record in records if (record.run, record.evaluation) in kept]


def code_keys(record: ExportRecord) -> list[tuple[str, str, str]]:
    """Two records that share one of these hold equal code for the same problem."""
    hashes = {"id": record.id, "object": record.asm_hash_target, "assembly": record.asm_hash_O0}
    return [(record.task, kind, value) for kind, value in hashes.items() if value]


def split_by_lineage(
    records: Sequence[ExportRecord], all_records: Iterable[ExportRecord], share: float | None
) -> Splits:
    """Records in ``train`` and ``test``; whole lineages of a problem go to one side.

    A lineage is what parents and equal code connect, across runs; a seed kernel connects none, as all descend from
    it. Lineages are held out in the order of a hash of theirs while they fit into the share.

    Args:
        records: to divide.
        all_records: the runs' whole logs: kernels that are not exported connect others.
        share: of the records that ``train`` should hold at least; ``None`` for no ``test``.

    Raises:
        ConfigError: no lineage is small enough to be held out.
    """
    if share is None:
        return {"train": list(records)}
    root = _lineages(all_records)
    groups: dict[Hashable, list[ExportRecord]] = defaultdict(list)
    for record in records:
        groups[root(_node(record))].append(record)
    room = (1 - share) * len(records)
    held: set[Hashable] = set()
    for key in sorted(groups, key=lambda key: hashlib.sha256(repr(key).encode()).hexdigest()):
        if len(groups[key]) <= room:
            held.add(key)
            room -= len(groups[key])
    if not held:
        raise ConfigError(
            f"--split {share}: expected a lineage of at most {(1 - share) * len(records):.0f} of the {len(records)} "
            f"kernels to hold out, but the smallest has {min(map(len, groups.values()))}; "
            "lower --split, give more runs, or leave it out"
        )
    is_held = [root(_node(record)) in held for record in records]
    return {
        "train": [record for record, out in zip(records, is_held, strict=True) if not out],
        "test": [record for record, out in zip(records, is_held, strict=True) if out],
    }


def _node(record: ExportRecord) -> tuple[str, str, str]:
    return (record.task, "id", record.id)


def _lineages(records: Iterable[ExportRecord]) -> Callable[[Hashable], Hashable]:
    """Finds the representative of a record's lineage (union-find with path halving)."""
    above: dict[Hashable, Hashable] = {}

    def find(key: Hashable) -> Hashable:
        above.setdefault(key, key)
        while above[key] != key:
            above[key] = above[above[key]]
            key = above[key]
        return key

    records = list(records)
    seeds = {_node(record) for record in records if record.operator == "seed"}
    for record in records:
        parents = [(record.task, "id", parent) for parent in record.parent_ids.split()]
        for key in [*code_keys(record), *(parent for parent in parents if parent not in seeds)]:
            above[find(key)] = find(_node(record))
    return find


def _texts(record: ExportRecord) -> list[str]:
    return [*(message.content for message in record.prompt), record.completion]
