"""Kernels timed again in fresh processes, independently of the measurement that made them elites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from qdkernel.core import Evaluation, Kernel, Measured, Outcome, geometric_mean, pooled
from qdkernel.evaluators.pipeline import EvaluationSpec, EvaluationTask, perform
from qdkernel.search.environment import RunEnvironment

# More rounds of the run's own blocks: longer ones would hold more data, and so time another level of the caches.
_LONGER: dict[str, Any] = {
    "rounds_min": 11,
    "rounds_max": 25,
    "half_width": 0.005,
    "budget_s": 0.6,
}  # Any: fields of TimingRule


def longer_spec(environment: RunEnvironment) -> EvaluationSpec:
    """The environment's evaluation with more rounds than a search spends, for every kernel in full."""
    timing = replace(environment.timing.for_every_kernel(), rule=replace(environment.timing.rule, **_LONGER))
    return replace(environment.spec, timing=timing)


def time_again(
    spec: EvaluationSpec, kernels: Sequence[Kernel], repeats: int, recorded: Sequence[float] = ()
) -> list[Evaluation]:
    """An evaluation of each kernel from the start, in order.

    Each is timed ``repeats`` times with all the others between, as what disturbs a shared host lasts for tens of
    seconds; all measurements count.

    Args:
        spec: see ``longer_spec``; its baseline was calibrated now.
        kernels: to time.
        repeats: passes over all kernels, at least 1.
        recorded: GFLOP/s of the baseline, one per scored size, that speeds refer to; empty for those of ``spec``.
    """
    passes = [[perform(EvaluationTask(spec, kernel)) for kernel in kernels] for _ in range(repeats)]
    return [_at_speeds(_together(seen), recorded) for seen in zip(*passes, strict=True)]


def _at_speeds(evaluation: Evaluation, baseline_gflops: Sequence[float]) -> Evaluation:
    """The same ratios times other speeds of the baseline, those that the run's own objectives refer to, if any."""
    score = evaluation.score
    if score is None or not baseline_gflops:
        return evaluation
    pairs = zip(score.timings, baseline_gflops, strict=True)
    timings = tuple(replace(timing, gflops=timing.ratio * gflops) for timing, gflops in pairs)
    return replace(evaluation, measured=Measured(geometric_mean([timing.gflops for timing in timings]), timings))


def _together(repeats: Sequence[Evaluation]) -> Evaluation:
    """All measurements as one, unless the kernel itself failed in one: that is never disturbance."""
    failed = [measurement for measurement in repeats if measurement.outcome not in (Outcome.OK, Outcome.LOST)]
    timed = [measurement for measurement in repeats if measurement.score]
    if failed or not timed:
        return (failed or repeats)[0]
    return replace(timed[0], measured=pooled([each.score for each in timed if each.score]))
