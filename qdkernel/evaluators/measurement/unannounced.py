"""Calls that a kernel must get right beside the scored ones, in the process in which it was timed.

The verification suite has small sizes only, and timed calls have the scored sizes, one choice of scalars, aligned
arrays and no padding. A path that is taken for large sizes alone would never be seen with anything else. So sizes
around the scored ones, scalars and padding are drawn once per process, and a timed kernel is called with them:

- once near each scored size: each extent grows by 1 to 37, an eighth at most, to an odd one; the largest lies
  beyond all scored ones;
- once below each scored size: extents from 1 to the scored ones, drawn on a logarithmic scale;
- once at a scored size, but with other scalars, padded rows and arrays aligned to nothing but their element;
- twice at a scored size as it is timed, where one element of each input changes in place between the two calls.
"""

from __future__ import annotations

import numpy as np

from qdkernel.evaluators.measurement.blocks import CpuPlacement, checked_call
from qdkernel.evaluators.measurement.buffers import TimedProcess, TimingBuffers


def check_unannounced(
    buffers: TimingBuffers, process: TimedProcess, placement: CpuPlacement, rng: np.random.Generator, few: bool = False
) -> int:
    """Makes the calls in an order drawn from ``rng`` and returns their number.

    The two kinds at a scored size use one that is drawn for each kernel, a large one as seldom as its calls are long.
    ``few``, for long calls: only those near and below, or the one with other scalars, or the last two, drawn as well.

    Raises:
        WrongResult: a result is wrong.
        ChildFailed: the kernel died or was late.
    """
    share = 1 / np.array([scored.flops for scored in buffers.sizes])
    drawn, at = rng.choice(len(buffers.sizes), 2, p=share / share.sum())
    kinds = [rng.integers(3)] if few else range(3)
    chosen = [*(buffers.near if 0 in kinds else ()), *([buffers.respelled[drawn]] if 1 in kinds else ())]
    for index in rng.permutation(chosen):
        buffers.refresh(range(index, index + 1), [process.name])
        checked_call(buffers, int(index), process, placement, "a call beside the scored ones")
    if 2 not in kinds:
        return len(chosen)
    scored = buffers.sizes[at]
    arrays = buffers.refresh_one(scored.first, process.name)
    checked_call(buffers, scored.first, process, placement)
    buffers.change_in_place(scored.first, process.name, arrays)
    checked_call(buffers, scored.first, process, placement, "a call after elements of its inputs changed in place")
    return len(chosen) + 2
