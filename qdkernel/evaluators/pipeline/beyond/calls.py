"""Calls far beyond the scored sizes: for ``check --thorough``, ``export --revalidate``, and before an elite is loaded.

A search has no time for them. Each call has sizes, scalars and strides drawn for it, and is made with 1 and with all
threads; the one with zeros put in, which takes long, with all only:

- each scored size with every extent a quarter to the whole of itself larger;
- each scored size of several extents with one of them 1 to 3: skinny;
- one with offsets past 2^31 elements: a small one whose rows stand so far apart that the last lies more than 2^31
  elements behind the first; where no array has a row stride, one with zeros put in (``far_offsets``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from qdkernel.core import Outcome, Problem, size_text
from qdkernel.evaluators.measurement import new_generator, respelled_case, write_call
from qdkernel.evaluators.pipeline.beyond.far_offsets import MEMORY_SHARE, verify_far_offsets
from qdkernel.evaluators.pipeline.beyond.zero_gap import FAR
from qdkernel.evaluators.pipeline.builder import Stop, outcomes
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

_DEADLINE_S = 60.0  # of a call: a naive kernel on one thread takes 20 s for 8 times the work of m = n = k = 1024
_GROWTH = (1.25, 2.0)
_SKINNY = 3
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
    calls = list(_larger(problem, sizes, rng))
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


def _larger(
    problem: Problem, sizes: Sequence[Mapping[str, int]], rng: np.random.Generator
) -> Iterator[tuple[str, Layout]]:
    for size in sizes:
        grown = {name: math.ceil(extent * rng.uniform(*_GROWTH)) for name, extent in size.items()}
        yield _layout(problem, grown, rng)
        if len(size) > 1:
            thin = str(rng.choice(list(size)))
            yield _layout(problem, {**size, thin: int(rng.integers(1, _SKINNY, endpoint=True))}, rng)


def _layout(problem: Problem, size: Mapping[str, int], rng: np.random.Generator) -> tuple[str, Layout]:
    case = respelled_case(problem, size, rng)
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
    inputs, outputs = MemoryFile("inputs", layout.input_bytes), MemoryFile("outputs", layout.output_bytes)
    case = ", ".join(f"{name}={value}" for name, value in layout.case_in_child(layout.calls[0]).items())
    try:
        for threads in sorted({1, context.verify_threads[-1]}):
            where = f", in {what} ({case}) with {threads} thread{'s' * (threads > 1)}"
            error = _error(context, made, layout, (inputs, outputs), threads, where)
            if not error <= 1.0:
                raise Stop(Outcome.WRONG, f"the result is wrong{where}: {error:.3g} times the error allowed")
    finally:
        inputs.close()
        outputs.close()


def _error(
    context: EvaluationContext,
    made: Path,
    layout: Layout,
    files: tuple[MemoryFile, MemoryFile],
    threads: int,
    where: str,
) -> float:
    """The error of a call on fresh inputs, in units of what is allowed.

    Raises:
        Stop: it crashed or was late; the text ends with ``where``.
    """
    problem, call, (inputs, outputs) = context.problem, layout.calls[0], files
    arrays = problem.make_inputs("uniform", call.case, new_generator())
    write_call(layout, call, arrays, inputs, [outputs], new_generator())
    secret = problem.sketch(call.case, arrays, new_generator())
    with outcomes(lambda _: where), context.start(made, layout, inputs, outputs, threads) as child:
        child.run(0, 1, _DEADLINE_S, freeze=True)
    results = {
        placed.argument.name: layout.view(outputs if placed.region is Region.OUTPUT else inputs, placed)
        for placed in call.arrays
    }
    return problem.sketch_error(call.case, results, secret, problem.error_limit)
