"""Steps of a run that made a kernel faster: parent, child, the gain with its interval, and what changed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from qdkernel.analysis.lineage import first_parent, first_records
from qdkernel.core import AXES, Interval, one_line, sampled_speed
from qdkernel.mutators.skills import LONGEST_SKILL, Skill
from qdkernel.runs import Record

_LEAST_GAIN = 1.05  # lower end of the interval; smaller steps are mostly changes of constants (heuristic)
_NAME_WORDS = 5


@dataclass(frozen=True)
class ImprovingStep:
    """A kernel that is faster than its first parent.

    Attributes:
        parent: the record of the parent.
        child: the record of the kernel.
        gain: speed over the parent's, with its interval.
    """

    parent: Record
    child: Record
    gain: Interval

    def skill(self, run: str, problem: str) -> Skill:
        """The step as a skill for kernels of the same blocking and SIMD level.

        Args:
            run: name of the run folder.
            problem: registry name.
        """
        proposal, cell = self.child.proposal, self.child.evaluation.cell
        assert cell is not None
        levels = {
            axis.name: (axis.levels[level],)
            for axis, level in zip(AXES, cell, strict=True)
            if axis.name in ("blocking", "simd")
        }
        words = re.findall(r"[a-z0-9]+", proposal.idea.lower())[:_NAME_WORDS] or [proposal.operator]
        kernel, parent = self.child.evaluation.kernel_id, self.parent.evaluation.kernel_id
        return Skill(
            name=f"{'-'.join(words)[:50]}-{kernel[:6]}",
            title=one_line(proposal.idea)[:120] or f"A step of {proposal.operator}",
            text=self._changes(),
            source=f"run {one_line(run)}, {proposal.operator}: kernel {kernel[:12]} from {parent[:12]}",
            problems=(problem,),
            levels=levels,
            gain=f"{self.gain.median:.2f} [{self.gain.low:.2f}, {self.gain.high:.2f}] x its parent",
        )

    def _changes(self) -> str:
        """The idea, and the lines of the kernel that are new, as many as fit."""
        before, after = (record.proposal.kernel.source.splitlines() for record in (self.parent, self.child))
        new = [line[2:].strip() for line in difflib.ndiff(before, after) if line.startswith("+ ") and line[2:].strip()]
        text = f"{one_line(self.child.proposal.idea)} New lines of the kernel:"
        for line in new:
            if len(text) + len(line) + 1 > LONGEST_SKILL:
                break
            text += "\n" + one_line(line)
        return text


def improving_steps(records: Iterable[Record]) -> list[ImprovingStep]:
    """The steps whose gain is certain and more than 5 %, the largest first."""
    records = list(records)
    origins, steps = first_records(records), []
    for record in records:
        parent = first_parent(record, origins)
        gain = parent and _gain(parent, record)
        if parent and gain and gain.low >= _LEAST_GAIN and record.placed:
            steps.append(ImprovingStep(parent, record, gain))
    return sorted(steps, key=lambda step: -step.gain.median)


def _gain(parent: Record, child: Record) -> Interval | None:
    """From both ratios to the baseline; the ends as if both errors were at their worst."""
    before, after = (sampled_speed(record.evaluation.timings) for record in (parent, child))
    if before is None or after is None or min(before.ratio.low, after.ratio.low) <= 0:
        return None
    return Interval(
        after.ratio.median / before.ratio.median,
        after.ratio.low / before.ratio.high,
        after.ratio.high / before.ratio.low,
    )
