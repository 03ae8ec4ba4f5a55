"""The fastest elite of a run, with what its speed is compared with."""

from __future__ import annotations

from dataclasses import dataclass

from qdkernel.analysis.speed import Ratio, ratio_to_baseline
from qdkernel.core import Cell, geometric_mean
from qdkernel.runs import RunFolder, elites


@dataclass(frozen=True)
class Best:
    """The fastest elite of a run.

    Attributes:
        cell: that it holds.
        gflops: its objective.
        gbytes_per_s: geometric mean over the scored sizes, by the problem's convention.
        ratio: to the baseline.
        share: of the measured triad where bandwidth bounds the problem, of the measured peak elsewhere; ``None`` where
            that was not measured.
        evaluations: of the run.
        baseline: name of what it was measured against.
    """

    cell: Cell
    gflops: float
    gbytes_per_s: float
    ratio: Ratio
    share: float | None
    evaluations: int
    baseline: str


def best_of(run: RunFolder) -> Best | None:
    """The fastest elite; ``None`` when the run has none that was timed."""
    held = [
        (record.evaluation.objective, cell, ratio, record.evaluation.timings)
        for cell, record in elites(run.evaluations.records()).items()
        if record.evaluation.objective is not None and (ratio := ratio_to_baseline(record.evaluation)) is not None
    ]
    if not held:
        return None
    gflops, cell, ratio, timings = max(held, key=lambda each: each[0])
    facts = run.facts
    gbytes_per_s = geometric_mean([timing.gbytes_per_s for timing in timings])
    speed, limit = (gbytes_per_s, facts.triad_gbytes_per_s) if facts.bandwidth_bound else (gflops, facts.peak_gflops)
    share = speed / limit if limit else None
    return Best(cell, gflops, gbytes_per_s, ratio, share, run.evaluations.count(), facts.baseline_name)
