"""Remeasurement: at the end of a run every elite is timed again, until its two best measurements agree."""

from __future__ import annotations

import math
import time

from qdkernel.core import Cell, Evaluation
from qdkernel.search.again.elite_timings import EliteTimings

_PASSES = 4  # over the elites that are still in doubt; on a quiet host nearly all agree after the first
_SHARE = 0.5  # of the time before; a host that is never quiet would cost four whole passes
_AGREE = 0.04  # relative difference of two measurements that agree; heuristic: a little less than the 5 % promised


class Remeasurement(EliteTimings):
    """Times the elites of a run again.

    Disturbances of a host last for tens of seconds. So each pass measures all elites in doubt with the others between,
    until the two best measurements of each agree; all its measurements count (``qdkernel.core.pooled``). All passes
    after the first together take at most half as long as the session before.
    """

    news = "elites are timed again"
    when = "timed again"

    def run(self) -> None:
        """Measures until all elites agree, the time is over or the run is to end."""
        begin, deadline = time.monotonic(), math.inf
        for _ in range(_PASSES):
            doubtful = {
                held.record: cell
                for cell, held in self._fold.held.items()
                if not (held.bound or _agree([each.objective for each in held.measurements]))
            }
            if doubtful:
                self.measure(dict(sorted(doubtful.items())), deadline)
            deadline = begin + _SHARE * (begin - self._started)

    def keep(self, record: int, cell: Cell, evaluation: Evaluation) -> None:
        """Commits a measurement and takes it into the archive."""
        assert evaluation.score is not None  # it ended ok
        self._folder.evaluations.add_remeasurement(record, evaluation)
        self._fold.add_speed(cell, evaluation.score)


def _agree(objectives: list[float]) -> bool:
    best = sorted(objectives, reverse=True)[:2]
    return len(best) == 2 and best[1] >= (1 - _AGREE) * best[0]
