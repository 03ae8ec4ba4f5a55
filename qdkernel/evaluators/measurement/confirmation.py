"""Whether a kernel is as fast as measured when nothing of a block can be computed before the clock runs.

In the rounds of a measurement the inputs are in place before the child is ready, and getting ready is not timed: a
kernel that has taken over the runner could compute a share of the block meanwhile. So each speed is compared with that
of late blocks, whose inputs are written while the child, ready for them, is stopped:

1. until one late block is nearly as fast as the rounds. If none is, the speed does not count;
2. for one thread, in blocks of 0.1 ms or more, where more than a first estimate was made: late and ordinary blocks in
   turn, so that a drift of the host's speed cancels. The processor time of a late block since its inputs came is
   compared with the time of an ordinary one: waking up, which takes 30 to 100 us, is not in it, and all work is. What
   late blocks take more than 2 % and 25 us longer is added to the kernel's times; a clear difference in every pair is
   an accusation. A team is not compared: its threads spin while they wait for one another.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from qdkernel.evaluators.measurement.blocks import Block, Busy, CpuPlacement, time_block, time_with_late_inputs
from qdkernel.evaluators.measurement.buffers import ScoredSize, TimedCase, TimedProcess, TimingBuffers, TimingRule
from qdkernel.evaluators.sandbox import PrecomputationDetected

_CONFIRMATIONS = 12  # blocks at most; nearly always the first or second is fast enough
_CONFIRMED = 1.3  # how much longer than in the rounds such a block may take; the speed of shared hosts varies so much
_COMPARED_NS = 100e3  # blocks at least this long
_CACHED_NS = 250e3  # with cached inputs, where the clock decides: in shorter blocks honest pairs differ by 10 %
_LONG_NS = 5e6  # a call of which the 50 us before the clock of a late block starts are 1 %
_COMPARED_ROUNDS = 3  # that count of a measurement, from which on pairs are made: a first estimate decides little
_FEWEST_PAIRS, _PAIRS = 3, 8  # of a late and an ordinary block
_TOLERANCE = 1.02  # chosen: what a kernel that computes ahead may gain
_RESUMED_NS = 25e3  # processor time of going on and of being stopped (measured: medians of 23 to 35 us)
_ACCUSED = 1.15  # chosen: in every pair that counts
_WAKING_NS = 150e3  # of one thread: 30 to 100 us, and some for the parent
_TEAM_WAKING_NS = 600e3  # of a team in a short block: its threads wake up one after another, 50 to 300 us each
_SHORT_NS = 500e3  # blocks of the smallest sizes, in which waking up takes as long as the calls


def confirm(
    buffers: TimingBuffers,
    scored: ScoredSize,
    process: TimedProcess,
    claimed_ns: Sequence[float],
    rule: TimingRule,
    placement: CpuPlacement,
    wait: Callable[[], object],
    late_ns: float = math.inf,
) -> float:
    """The factor by which the times of a kernel are too short; 1 for an honest one.

    Args:
        buffers: its inputs and outputs.
        scored: the size.
        process: the kernel.
        claimed_ns: nanoseconds of a call in the rounds.
        rule: how long blocks are.
        placement: where the parent waits.
        wait: waits for quiet cores after a block in which threads waited for theirs.
        late_ns: nanoseconds of a call with late inputs, where there was one.

    Raises:
        PrecomputationDetected: it is always clearly slower on late inputs.
        Busy: it is always slower in late blocks than in the rounds, which may be the host's doing.
    """
    usual_ns = float(np.median(claimed_ns))
    if _LONG_NS < late_ns <= _TOLERANCE * usual_ns:
        return 1.0
    case = scored.timed_case(process, usual_ns, rule)

    def late() -> Block:
        return time_with_late_inputs(buffers, scored, case, placement)

    def ordinary() -> Block:
        calls = range(scored.first + case.warm, scored.first + case.warm + case.timed)
        buffers.refresh(calls, [process.name])
        block = time_block(scored, case, placement)
        buffers.check(calls, process.name)
        return block

    with process.attributing_failures(scored.size):
        if late_ns > _CONFIRMED * usual_ns:
            _await_fast_block(late, usual_ns, case, placement, wait)
        short = usual_ns * case.timed < (_CACHED_NS if process.child.cached else _COMPARED_NS)
        if short or placement.team or len(claimed_ns) < _COMPARED_ROUNDS:
            return 1.0
        return _factor(late, ordinary)


def _await_fast_block(
    late: Callable[[], Block], usual_ns: float, case: TimedCase, placement: CpuPlacement, wait: Callable[[], object]
) -> None:
    """Makes late blocks up to the first that is nearly as fast as the rounds."""
    blocks: list[Block] = []
    short = usual_ns * case.timed < _SHORT_NS
    waking_ns = (_TEAM_WAKING_NS if placement.team and short else _WAKING_NS) / case.timed
    while len(blocks) < _CONFIRMATIONS:
        blocks.append(late())
        if blocks[-1].ns <= _CONFIRMED * usual_ns + waking_ns:
            return
        if blocks[-1].disturbed():
            wait()
    fastest_ns = min(block.ns for block in blocks)
    slower = f"{fastest_ns / usual_ns:.1f} times slower when its inputs come while it is stopped"
    if 2 * usual_ns + waking_ns < fastest_ns and not all(block.disturbed() for block in blocks):
        raise PrecomputationDetected(f"computes before the clock runs: it is {slower}", 0)
    raise Busy(f"a kernel was {slower}")


def _factor(late: Callable[[], Block], ordinary: Callable[[], Block]) -> float:
    """How much slower late blocks are than the tolerance, from pairs of blocks; at least 1."""
    pairs: list[tuple[Block, Block]] = []
    while True:
        pairs.append((late(), ordinary()))
        quiet = [pair for pair in pairs if not any(block.disturbed() for block in pair)]
        ratios = [
            (late_block.busy_ns - _RESUMED_NS / late_block.calls) / usual.ns
            for late_block, usual in (quiet if len(quiet) >= _FEWEST_PAIRS else pairs)
        ]
        slower = float(np.median(ratios))
        if len(quiet) >= _FEWEST_PAIRS and slower <= _TOLERANCE:
            return 1.0
        if len(pairs) == _PAIRS:
            break
    if len(quiet) > _PAIRS // 2 and min(ratios) > _ACCUSED:
        raise PrecomputationDetected(
            f"computes before the clock runs: it is {slower:.2f} times slower when its inputs come while it is stopped",
            0,
        )
    return max(1.0, slower / _TOLERANCE)
