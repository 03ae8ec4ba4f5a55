"""Steps of a search: a kernel, what was measured of it, and the kernel that came next; and whole lineages of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qdkernel.core import Outcome
from qdkernel.export.record import ExportRecord


@dataclass(frozen=True)
class Step:
    """A correct kernel and the correct kernel that was made from it.

    Attributes:
        parent: the fastest of the kernels that it was made from.
        child: the later kernel.
    """

    parent: ExportRecord
    child: ExportRecord

    @property
    def gain(self) -> float:
        """log2 of the ratio of their speeds."""
        return math.log2(self.child.timing.gflops / self.parent.timing.gflops)

    @property
    def gained(self) -> bool:
        """Whether the child is faster beyond the noise: the intervals of their ratios to the baseline are apart."""
        return self.child.timing.ratio_low > self.parent.timing.ratio_high > 0


class Lineages:
    """Finds the parents of kernels within their own run.

    Args:
        records: the runs' whole logs.
    """

    def __init__(self, records: Sequence[ExportRecord]) -> None:
        self._correct: Mapping[tuple[str, str], ExportRecord] = {
            (record.run, record.id): record for record in records if record.outcome is Outcome.OK
        }

    def step_to(self, child: ExportRecord) -> Step | None:
        """The step that led to a correct kernel; ``None`` for one that was made from no correct kernel."""
        found = [self._correct.get((child.run, parent)) for parent in child.parent_ids.split()]
        parents = [parent for parent in found if parent is not None and parent.evaluation < child.evaluation]
        if not parents:
            return None
        return Step(max(parents, key=lambda parent: parent.timing.gflops), child)

    def path_to(self, kernel: ExportRecord) -> list[Step]:
        """The steps from the first ancestor to a correct kernel, oldest first; none for a kernel without parents."""
        path: list[Step] = []
        while (step := self.step_to(kernel)) is not None:
            path.append(step)
            kernel = step.parent
        return path[::-1]
