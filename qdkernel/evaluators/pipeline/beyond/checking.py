"""One call far from the scored sizes: made in a contained child, and judged by the problem's sketch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from qdkernel.core import Outcome
from qdkernel.evaluators.pipeline.builder import Stop, outcomes
from qdkernel.evaluators.pipeline.context import EvaluationContext
from qdkernel.evaluators.sandbox import Layout, MemoryFile

MEMORY_SHARE = 0.5
"""Of the memory that is free, for one call."""

_DEADLINE_S = 60.0  # of a call: a naive kernel on one thread takes 20 s for 8 times the work of m = n = k = 1024

Prepare = Callable[[MemoryFile, MemoryFile], Callable[[], float]]
"""Writes the arrays of a call into its input and output files, and returns what judges it: its error afterwards."""


def check_call(
    context: EvaluationContext, made: Path, layout: Layout, where: Mapping[int, str], prepare: Prepare
) -> None:
    """Makes the only call of a layout with each number of threads in ``where``.

    Args:
        context: of this process.
        made: the path of the kernel's shared object.
        layout: of the call.
        where: by number of threads, the end of the text of a failure.
        prepare: for each time; errors are in units of what is allowed.

    Raises:
        Stop: a result is wrong, or a call crashed or was late.
    """
    inputs, outputs = MemoryFile("inputs", layout.input_bytes), MemoryFile("outputs", layout.output_bytes)
    try:
        for threads, place in where.items():
            judged = prepare(inputs, outputs)
            _call(context, made, layout, (inputs, outputs), threads, place)
            error = judged()
            if not error <= 1.0:
                raise Stop(Outcome.WRONG, f"the result is wrong{place}: {error:.3g} times the error allowed")
    finally:
        inputs.close()
        outputs.close()


def _call(
    context: EvaluationContext,
    made: Path,
    layout: Layout,
    files: tuple[MemoryFile, MemoryFile],
    threads: int,
    place: str,
) -> None:
    with outcomes(lambda _: place), context.start(made, layout, *files, threads) as child:
        child.run(0, 1, _DEADLINE_S, freeze=True)
