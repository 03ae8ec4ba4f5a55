"""A call with offsets past 2^31 elements in arrays without a row stride: one with zeros put in (``zero_gap``).

A kernel that fails is called again with arrays just below 2^31 elements. If it fails there as well, the reason is
another one, e.g. memory of its own that grows with its arrays, and the failure does not count.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from qdkernel.core import Arrays, Outcome
from qdkernel.evaluators.measurement import new_generator
from qdkernel.evaluators.pipeline.beyond.checking import MEMORY_SHARE, check_call
from qdkernel.evaluators.pipeline.beyond.zero_gap import FAR, ZeroGap, find_zero_gap, longest_array
from qdkernel.evaluators.pipeline.builder import Stop
from qdkernel.evaluators.pipeline.context import EvaluationContext
from qdkernel.evaluators.sandbox import MemoryFile, Region, ZeroGapLayout, poison
from qdkernel.machine import free_bytes

_BELOW = 0.97  # of FAR: the length of arrays for which no offset needs more bits


def verify_far_offsets(context: EvaluationContext, made: Path, rng: np.random.Generator) -> str:
    """Calls a kernel with offsets past 2^31 elements; returns why that was not tried, empty if it was.

    Raises:
        Stop: a result is wrong, or a call crashed, and the same does not happen with shorter arrays.
    """
    gap = find_zero_gap(context.problem, rng)
    if isinstance(gap, str):
        return gap
    far, below = gap.least(FAR), gap.least(_BELOW * FAR)
    assert far is not None
    assert below is not None
    layout = gap.layout(far)
    if layout.num_bytes > MEMORY_SHARE * free_bytes():
        return f"the call needs {layout.num_bytes / 2**30:.1f} GiB of memory"
    try:
        _call(context, made, gap, layout)
    except Stop as stop:
        if stop.outcome is Outcome.TIMEOUT:
            return stop.detail
        try:
            _call(context, made, gap, gap.layout(below - 1))
        except Stop as other:
            return f"with fewer elements the kernel fails as well: {other.detail}"
        raise
    return ""


def _call(context: EvaluationContext, made: Path, gap: ZeroGap, layout: ZeroGapLayout) -> None:
    """Makes the call with all threads.

    Raises:
        Stop: its result is wrong, or it crashed or was late.
    """
    problem, call = gap.problem, layout.calls[0].case
    case = ", ".join(f"{name}={value}" for name, value in call.items())
    where = f", in a call with {longest_array(problem, call):.4g} elements in an array ({case})"
    secret = problem.sketch(gap.small, gap.arrays, new_generator())

    def prepare(inputs: MemoryFile, outputs: MemoryFile) -> Callable[[], float]:
        _write(gap, layout, inputs, outputs)

        def error() -> float:
            results = _results(layout, inputs, outputs)
            if results is None:
                return math.inf
            return problem.sketch_error(gap.small, results, secret, problem.error_limit)

        return error

    check_call(context, made, layout, {context.verify_threads[-1]: where}, prepare)


def _write(gap: ZeroGap, layout: ZeroGapLayout, inputs: MemoryFile, outputs: MemoryFile) -> None:
    for placed in layout.calls[0].arrays:
        contents = layout.contents(inputs if placed.region is Region.INPUT else outputs, placed)
        if placed.argument.is_read:
            contents[:] = 0
            contents[layout.places(placed)] = gap.arrays[placed.argument.name]
        else:
            contents[:] = poison(placed.dtype, new_generator())


def _results(layout: ZeroGapLayout, inputs: MemoryFile, outputs: MemoryFile) -> Arrays | None:
    """The arrays of the small call; ``None`` if anything but zeros is between."""
    results = {}
    for placed in layout.calls[0].arrays:
        contents = layout.contents(inputs if placed.region is Region.INPUT else outputs, placed)
        results[placed.argument.name] = found = contents[layout.places(placed)]
        if np.count_nonzero(contents) > np.count_nonzero(found):
            return None
    return results
