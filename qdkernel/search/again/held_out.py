"""Held-out sizes: the best elites, timed once at sizes that were never scored, show wins that do not carry over."""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from qdkernel.core import Cell, Evaluation
from qdkernel.evaluators.pipeline import EvaluationContext, EvaluationSpec
from qdkernel.search.again.elite_timings import EliteTimings

_LEAST, _MOST = 0.5, 1.25  # of a scored extent: the same regime of the caches, and no more memory than twice
_ELITES = 5  # the fastest, which a user would take


def draw_sizes(scored: Sequence[Mapping[str, int]], number: int, seed: int) -> tuple[Mapping[str, int], ...]:
    """Sizes around the scored ones, none of them scored.

    Args:
        scored: the scored sizes.
        number: how many to draw around each; extents of 1 leave fewer.
        seed: of the run.
    """
    rng = np.random.default_rng([seed, 0])  # not the search's own stream
    drawn: list[Mapping[str, int]] = []
    for size in scored:
        for _ in range(number):
            other = {name: max(1, round(extent * rng.uniform(_LEAST, _MOST))) for name, extent in size.items()}
            if other not in (*scored, *drawn):
                drawn.append(other)
    return tuple(drawn)


def held_out_spec(spec: EvaluationSpec, sizes: tuple[Mapping[str, int], ...]) -> EvaluationSpec:
    """The spec with other sizes, at which the baseline is not calibrated yet."""
    assert spec.timing is not None
    return replace(spec, timing=replace(spec.timing, sizes=sizes, baseline_gflops=()))


def calibrated(spec: EvaluationSpec) -> EvaluationSpec:
    """The spec with the baseline's speeds on this machine."""
    assert spec.timing is not None
    context = EvaluationContext(spec)
    try:
        speeds = context.timer.calibrate()
    finally:
        context.close()
    return replace(spec, timing=replace(spec.timing, baseline_gflops=speeds))


class HeldOutTimings(EliteTimings):
    """Times the fastest elites at the sizes of its spec.

    The spec, from ``held_out_spec``, is calibrated where the backend is this machine; nodes of a cluster do it
    themselves.
    """

    news = "the best are timed at held-out sizes"
    when = "timed at held-out sizes"

    def run(self) -> None:
        """Measures each once."""
        fastest = heapq.nlargest(_ELITES, self._fold.held.items(), key=lambda item: self._fold.objective(item[0]))
        self.measure({held.record: cell for cell, held in fastest if not held.bound}, math.inf)

    def keep(self, record: int, cell: Cell, evaluation: Evaluation) -> None:
        """Commits a measurement; it counts nowhere."""
        self._folder.evaluations.add_held_out(record, evaluation)
