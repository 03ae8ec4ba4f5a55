"""Preference pairs: two kernels for one prompt, of which one is better beyond doubt."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from qdkernel.core import Outcome
from qdkernel.export.prompts import Messages, completion_of
from qdkernel.export.record import ExportRecord
from qdkernel.export.select import code_keys

LENGTH_RATIO = 2.0
"""Longest completion relative to the other one: larger ratios train for length (arXiv 2403.19159)."""
PAIRS_OF_A_KERNEL = 4
"""By thought: a kernel that is chosen more often is memorized."""
FAILURE_MARGIN = 1.0
"""Margin of a pair whose rejected kernel failed; heuristic: as if it were half as fast."""

_TEACHING = (
    Outcome.WRONG,
    Outcome.RACE,
    Outcome.CRASHED,
    Outcome.TIMEOUT,
    Outcome.COMPILE_ERROR,
    Outcome.POLICY_VIOLATION,
)


@dataclass(frozen=True)
class Pair:
    """Two completions for one prompt.

    Attributes:
        prompt: from the templates, as all kernels of the group share it.
        chosen: the better kernel's record.
        rejected: the other's.
        margin: log2 of the ratio of their speeds; ``FAILURE_MARGIN`` when the rejected one failed.
    """

    prompt: Messages
    chosen: ExportRecord
    rejected: ExportRecord
    margin: float

    @property
    def failed(self) -> bool:
        """Whether the rejected kernel failed."""
        return self.rejected.outcome is not Outcome.OK


def answer(record: ExportRecord) -> str:
    """The kernel as a reply to a prompt of the templates."""
    return completion_of(record.source, record.idea)


def preference_pairs(
    records: Sequence[ExportRecord], prompts: Mapping[tuple[str, int], Messages], failure_share: float
) -> list[Pair]:
    """Pairs of kernels that share prompt, problem, stage, machine, version of qdkernel and scored sizes.

    The chosen kernel is correct. The rejected one is correct with an interval of speed wholly below the chosen one's,
    or failed; pairs of the second kind are at most a share of all. Equal code is never paired, and neither completion
    is more than ``LENGTH_RATIO`` times as long as the other.

    Args:
        records: of one split.
        prompts: by run and evaluation: the prompt from the templates.
        failure_share: largest share of pairs whose rejected kernel failed, 0 to 1.
    """
    groups: dict[tuple[str, ...], list[ExportRecord]] = defaultdict(list)
    for record in records:
        words = "\0".join(message["content"] for message in prompts[record.run, record.evaluation])
        groups[words, record.task, record.stage, record.hardware.fingerprint, record.harness, record.sizes].append(
            record
        )
    pairs = [
        Pair(prompts[best.run, best.evaluation], best, other, margin)
        for group in groups.values()
        for best, other, margin in _ranked(group)
    ]
    slower, failed = [pair for pair in pairs if not pair.failed], [pair for pair in pairs if pair.failed]
    most = len(failed) if failure_share >= 1 else int(failure_share / (1 - failure_share) * len(slower))
    return [*slower, *failed[:most]]


def _ranked(group: Sequence[ExportRecord]) -> list[tuple[ExportRecord, ExportRecord, float]]:
    """Chosen, rejected and margin; each kernel is chosen at most ``PAIRS_OF_A_KERNEL`` times for each kind.

    Of the slower kernels the slowest are taken.
    """
    slowest_first = sorted((one for one in group if one.outcome is Outcome.OK), key=lambda one: one.timing.gflops)
    failures = [one for one in group if one.outcome in _TEACHING]
    lengths = {id(one): len(answer(one)) for one in group}
    keys = {id(one): frozenset(code_keys(one)) for one in group}

    def comparable(one: ExportRecord, other: ExportRecord) -> bool:
        shorter, longer = sorted((lengths[id(one)], lengths[id(other)]))
        return longer <= LENGTH_RATIO * shorter and keys[id(one)].isdisjoint(keys[id(other)])

    found = []
    for best in reversed(slowest_first):
        slower = (
            (best, other, math.log2(best.timing.gflops / other.timing.gflops))
            for other in slowest_first
            if best.timing.ratio_low > other.timing.ratio_high > 0 and comparable(best, other)
        )
        bad = ((best, other, FAILURE_MARGIN) for other in failures if comparable(best, other))
        found += [*islice(slower, PAIRS_OF_A_KERNEL), *islice(bad, PAIRS_OF_A_KERNEL)]
    return found
