"""Calls far beyond the scored sizes: before an elite is loaded or exported as code, and where a user asks for them.

A search has no time for them. Each call has sizes, scalars and strides drawn for it, and is made with 1 and with all
threads; the one with zeros put in, which takes long, with all only:

- each scored size with every extent a quarter to the whole of itself larger;
- each scored size of several extents with one of them 1 to 3: skinny;
- twice for each scored size extents from 1 to the scored ones, drawn on a logarithmic scale;
- one with offsets past 2^31 elements: a small one whose rows stand so far apart that the last lies more than 2^31
  elements behind the first; where no array has a row stride, one with zeros put in (``far_offsets``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from qdkernel.core import Case, Problem, size_text
from qdkernel.evaluators.measurement import new_generator, respelled_case, smaller_case, write_call
from qdkernel.evaluators.pipeline.beyond.checking import MEMORY_SHARE, check_call
from qdkernel.evaluators.pipeline.beyond.far_offsets import verify_far_offsets
from qdkernel.evaluators.pipeline.beyond.zero_gap import FAR
from qdkernel.evaluators.pipeline.context import EvaluationContext
from qdkernel.evaluators.sandbox import (
    PAGE,
    BufferAlignment,
    FarLayout,
    Layout,
    MemoryFile,
    Region,
    strides_that_may_be_long,
)
from qdkernel.machine import free_bytes

_GROWTH = (1.25, 2.0)
_SKINNY = 3
_SMALLER = 2
_SMALL = (3, 40)  # extents of a call with long strides; from 3 on two strides below 2^31 reach beyond it


def verify_beyond(context: EvaluationContext, made: Path, sizes: Sequence[Mapping[str, int]]) -> tuple[str, ...]:
    """Makes the calls and returns what was left out, with the reason.

    Args:
        context: of this process.
        made: the path of the kernel's shared object.
        sizes: the scored ones.

    Raises:
        Stop: a result is wrong, or a call crashed or was late.
    """
    problem, rng = context.problem, new_generator()
    left_out = []
    calls: list[tuple[str, Layout]] = [_layout(problem, case) for case in _around(problem, sizes, rng)]
    if far := _far(problem, rng):
        calls.append(("a call with offsets past 2^31 elements", far))
    for what, layout in calls:
        if layout.num_bytes > MEMORY_SHARE * free_bytes():
            left_out.append(f"{what} was not tried: it needs {layout.num_bytes / 2**30:.1f} GiB of memory")
        else:
            _call(context, made, layout, what)
    if far is None and (reason := verify_far_offsets(context, made, rng)):
        left_out.append(f"offsets past 2^31 elements were not tried: {reason}")
    return tuple(left_out)


def _around(problem: Problem, sizes: Sequence[Mapping[str, int]], rng: np.random.Generator) -> Iterator[Case]:
    for size in sizes:
        grown = {name: math.ceil(extent * rng.uniform(*_GROWTH)) for name, extent in size.items()}
        yield respelled_case(problem, grown, rng)
        if len(size) > 1:
            thin = str(rng.choice(list(size)))
            skinny = {**size, thin: int(rng.integers(1, _SKINNY, endpoint=True))}
            yield respelled_case(problem, skinny, rng)
        for _ in range(_SMALLER):
            yield smaller_case(problem, size, rng)


def _layout(problem: Problem, case: Case) -> tuple[str, Layout]:
    size = {name: int(case[name]) for name in problem.size_names}
    return f"a call of size {size_text(size)}", Layout(problem, [(case, BufferAlignment.SHIFTED)])


def _far(problem: Problem, rng: np.random.Generator) -> FarLayout | None:
    """A call whose last rows begin past 2^31 elements; ``None`` where no stride can be chosen."""
    size = {name: int(rng.integers(*_SMALL, endpoint=True)) for name in problem.size_names}
    case = respelled_case(problem, size, rng)
    strides = {}
    for name in strides_that_may_be_long(problem, case):
        rows = min(argument.shape(case)[0] for argument in problem.arrays if name in argument.strides[:1])
        if rows >= _SMALL[0]:
            least = -(-FAR // ((rows - 1) * PAGE))
            strides[name] = int(rng.integers(least, least + 8, endpoint=True)) * PAGE
    return FarLayout(problem, case, strides) if strides else None


def _call(context: EvaluationContext, made: Path, layout: Layout, what: str) -> None:
    """Makes a call on fresh inputs with 1 and with all threads."""
    problem, [call] = context.problem, layout.calls
    case = ", ".join(f"{name}={value}" for name, value in layout.case_in_child(call).items())
    where = {
        threads: f", in {what} ({case}) with {threads} thread{'s' * (threads > 1)}"
        for threads in sorted({1, context.verify_threads[-1]})
    }

    def prepare(inputs: MemoryFile, outputs: MemoryFile) -> Callable[[], float]:
        arrays = problem.make_inputs("uniform", call.case, new_generator())
        write_call(layout, call, arrays, inputs, [outputs], new_generator())
        secret = problem.sketch(call.case, arrays, new_generator())

        def error() -> float:
            results = {
                placed.argument.name: layout.view(outputs if placed.region is Region.OUTPUT else inputs, placed)
                for placed in call.arrays
            }
            return problem.sketch_error(call.case, results, secret, problem.error_limit)

        return error

    check_call(context, made, layout, where, prepare)
