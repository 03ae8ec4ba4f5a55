"""How often proposals repeat each other: their groups of equal code, per operator and model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from qdkernel.core import Evaluation, KernelId
from qdkernel.runs import Record

Key = TypeVar("Key")

LARGEST = 3
"""Groups whose share is shown: as many as in Hayashi et al. 2026 (arXiv 2604.17182), who found 67 % in them."""


@dataclass(frozen=True)
class Groups:
    """Proposals by equal code.

    Attributes:
        sizes: proposals in each group, largest first; those without such code are in none.
    """

    sizes: tuple[int, ...] = ()

    @property
    def proposals(self) -> int:
        """How many proposals are in a group."""
        return sum(self.sizes)

    @property
    def share_of_largest(self) -> float | None:
        """Share of them in the ``LARGEST`` largest groups; ``None`` when there are none."""
        return sum(self.sizes[:LARGEST]) / self.proposals if self.sizes else None


@dataclass(frozen=True)
class Repetition:
    """How often some proposals repeat each other.

    Attributes:
        proposals: evaluated ones, whatever came of them.
        normal_forms: by the token-normal form of the source; of those that the source policy let through.
        assemblies: by the assembly at ``-O0``; of those that compile so.
        machine_codes: by code, data and relocations at the run's flags; of those that the object policy let through.
    """

    proposals: int
    normal_forms: Groups
    assemblies: Groups
    machine_codes: Groups


def repetition(records: Iterable[Record], key: Callable[[Record], Key]) -> dict[Key, Repetition]:
    """How often proposals repeat each other, by a key of their records; the key with most proposals first.

    A proposal that was not compiled because it equals an earlier kernel, in its normal form or to the byte, is in the
    groups of that kernel, from any operator.

    Args:
        records: a run's log, or its beginning.
        key: whose proposals are compared with each other, e.g. ``operator_and_model``.
    """
    records = list(records)
    forms = _codes(records, lambda evaluation: evaluation.hashes.normal)
    assemblies = _codes(records, lambda evaluation: evaluation.hashes.assembly)
    objects = _codes(records, lambda evaluation: evaluation.hashes.object)
    members: dict[Key, list[int]] = {}
    for at, record in enumerate(records):
        members.setdefault(key(record), []).append(at)
    found = {
        each: Repetition(len(places), *(_groups(codes[at] for at in places) for codes in (forms, assemblies, objects)))
        for each, places in members.items()
    }
    return dict(sorted(found.items(), key=lambda item: -item[1].proposals))


def _groups(codes: Iterable[str | None]) -> Groups:
    counts = Counter(code for code in codes if code is not None)
    return Groups(tuple(sorted(counts.values(), reverse=True)))


def _codes(records: list[Record], code_of: Callable[[Evaluation], str | None]) -> list[str | None]:
    """The code of each record's kernel: what its evaluation found, else what is known of the kernel it equals."""
    known: dict[KernelId, str] = {}
    originals: dict[KernelId, KernelId] = {}
    for evaluation in (record.evaluation for record in records):
        if code := code_of(evaluation):
            known.setdefault(evaluation.kernel_id, code)
        if evaluation.duplicate_of not in (None, evaluation.kernel_id):
            originals.setdefault(evaluation.kernel_id, evaluation.duplicate_of)
    return [
        code_of(record.evaluation) or _followed(record.evaluation.kernel_id, known, originals) for record in records
    ]


def _followed(kernel_id: KernelId, known: dict[KernelId, str], originals: dict[KernelId, KernelId]) -> str | None:
    """The code of the nearest kernel whose code is known on the way from a duplicate to its original."""
    seen: set[KernelId] = set()
    at: KernelId | None = kernel_id
    while at is not None and at not in known and at not in seen:
        seen.add(at)
        at = originals.get(at)
    return None if at is None else known.get(at)
