"""Where a kernel spends its time: calls during which a timer in the child notes where its first thread is.

The kernel itself is called, not its counting copy, so the shares are those of the code that is timed. Each scored size
gives the same number of samples, as far as there is time. Limits: the first thread only; at most a few hundred samples,
so a share of 10 % is one of 7 to 13 %; and on a busy host the samples count what other processes' use of caches and
memory costs.
"""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import numpy as np

from qdkernel.evaluators.behaviour import MachineLoop, Part, time_split
from qdkernel.evaluators.binary import Disassembly
from qdkernel.evaluators.pipeline.builder import outcomes
from qdkernel.evaluators.pipeline.context import EvaluationContext
from qdkernel.evaluators.sandbox import MemoryFile

_BYTES, _HEAD = 16384, 2  # of struct qd_samples (native/samples.h); words before its places
_LEAST, _ENOUGH = 100, 400  # samples: fewer are not shown; more are not waited for
_LEAST_SHARE = 0.005  # shown as 1 %
_MOST_S = 0.6  # and the last call of each size; 400 samples of calls without a pause take 0.1 s
_CALLS = 32  # on the same arrays: where C is updated in place it stays far from overflow


def sampled_time(context: EvaluationContext, shared_object: Path, disassembly: Disassembly, hot: MachineLoop) -> str:
    """The time split in words; empty where too few samples were had.

    Args:
        context: of this process.
        shared_object: the kernel, verified before.
        disassembly: its code.
        hot: its hot loop.

    Raises:
        Stop: it fails while it is called.
    """
    places = _sampled(context, shared_object)
    if len(places) < _LEAST:
        return ""
    found = time_split(disassembly, hot, places)
    shares = {part: found.get(part, 0) / len(places) for part in Part}
    shown = ", ".join(f"{part.value} {share:.0%}" for part, share in shares.items() if share >= _LEAST_SHARE)
    return f"of its time: {shown} ({len(places)} samples of the first thread)"


def _sampled(context: EvaluationContext, shared_object: Path) -> list[int]:
    """Addresses in the object; those of libraries are beyond it."""
    buffers, threads = context.timer.single_calls, context.timer.spec.threads
    samples = MemoryFile("samples", _BYTES)
    words = samples.bytes[:_BYTES].view(np.uint64)
    try:
        memory = buffers.layout, buffers.inputs, buffers.outputs("challenger")
        child = context.start(shared_object, *memory, threads, samples=samples)
        with child, outcomes(lambda _: ", while its time was sampled"):
            begun_s, parts = time.monotonic(), len(buffers.sizes)
            for number, scored in enumerate(buffers.sizes, 1):  # each size gives its part of the samples
                enough, late_s = _ENOUGH * number / parts, begun_s + _MOST_S * number / parts
                for call in itertools.count():
                    if call % _CALLS == 0:
                        buffers.refresh(scored.calls, ["challenger"])
                    child.run(scored.first, 1, context.spec.run.run_s)
                    if words[1] >= enough or time.monotonic() > late_s:
                        break
        taken = min(int(words[1]), words.size - _HEAD)
        return [int(place) - int(words[0]) for place in words[_HEAD : _HEAD + taken]]
    finally:
        samples.close()
