"""The baseline's own speed: what ratios to it are multiplied by, and how fast it is on quiet cores."""

from __future__ import annotations

import time

import numpy as np

from qdkernel.evaluators.measurement.blocks import Block, CpuPlacement, time_block
from qdkernel.evaluators.measurement.buffers import ScoredSize, TimedCase, TimingBuffers

_BUDGETS = 8  # of a measurement, by default 1 s: cores that were idle run faster at first
_MOST_BUDGETS = 40  # on a busy host
_ENOUGH = 8  # undelayed blocks


def calibrate(
    buffers: TimingBuffers,
    scored: ScoredSize,
    baseline: TimedCase,
    placement: CpuPlacement,
    budget_s: float,
    settled: bool,
) -> tuple[float, bool]:
    """Nanoseconds per call of the baseline on cores as quiet as they get, and whether they were quiet.

    The faster quartile of the blocks in which no thread waited for its core, as disturbances only slow down; on a host
    that is never quiet, the fastest block.

    Args:
        buffers: inputs and outputs.
        scored: the scored size.
        baseline: its process and calls.
        placement: where the parent waits.
        budget_s: seconds that a measurement may take.
        settled: whether the cores are quiet now; only then are waits in all blocks the baseline's own.
    """
    begin, blocks = time.monotonic(), list[Block]()
    calls = range(scored.first, scored.first + baseline.warm + baseline.timed)
    while True:
        buffers.refresh(calls, [baseline.process.name], unchecked=len(calls))
        blocks.append(time_block(scored, baseline, placement))
        usual_ns = min(block.delayed_ns for block in blocks) if settled else 0.0
        quiet_ns = [block.ns for block in blocks if not block.disturbed(usual_ns)]
        elapsed_s = time.monotonic() - begin
        if elapsed_s > _MOST_BUDGETS * budget_s or (elapsed_s > _BUDGETS * budget_s and len(quiet_ns) >= _ENOUGH):
            if len(quiet_ns) >= min(_ENOUGH, len(blocks)):
                return float(np.quantile(quiet_ns, 0.25)), True
            return min(block.ns for block in blocks), False


def time_baseline(
    buffers: TimingBuffers, scored: ScoredSize, baseline: TimedCase, blocks: int, placement: CpuPlacement
) -> float:
    """Nanoseconds per call of the baseline now: the fastest of some blocks, as disturbances only slow it down."""
    calls = range(scored.first, scored.first + baseline.warm + baseline.timed)
    buffers.refresh(calls, [baseline.process.name], unchecked=len(calls))
    return min(time_block(scored, baseline, placement).ns for _ in range(blocks))
