"""The behaviour of a kernel that may take a cell, from a run that is observed: which loops ran, in which teams."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from qdkernel.core import AXES, Array, Behaviour, Cell, Outcome, Threading, cell_name
from qdkernel.evaluators.behaviour import Observed, RuntimeFacts, describe_run, helped_share, read_counts
from qdkernel.evaluators.binary import Disassembly, SharedObject, disassemble, read_shared_object
from qdkernel.evaluators.measurement import CpuPlacement, TimedProcess, checked_call
from qdkernel.evaluators.pipeline.builder import EvaluationBuilder, Stop, outcomes
from qdkernel.evaluators.pipeline.context import EvaluationContext
from qdkernel.evaluators.pipeline.observation.loop_evidence import loop_evidence
from qdkernel.evaluators.sandbox import MemoryFile, Region
from qdkernel.evaluators.toolchain import (
    FACTS_BYTES,
    TRACE_ROWS,
    CompileError,
    CompileLate,
    NotCountable,
    trace_bytes,
)

_SLOWER = 4  # times the deadline of a block that the counting copy may take; tight scalar loops take twice to ten times
_LEAST_THREADS = 2  # with one, no team shows how it shares its work
_SERIAL_CPU, _SERIAL_CPU_S = 1.25, 10e-3  # processor time of one thread against the time that it is awake


@dataclass(frozen=True)
class Compiled:
    """A kernel that the object policy has accepted.

    Attributes:
        folder: where it was compiled.
        path: of the shared object.
        shared_object: its facts.
        disassembly: its code.
    """

    folder: Path
    path: Path
    shared_object: SharedObject
    disassembly: Disassembly


def observe_behaviour(context: EvaluationContext, builder: EvaluationBuilder, compiled: Compiled) -> Behaviour:
    """Step 7b: the behaviour by what ran, with what its code shows beside it.

    Raises:
        Stop: its blocks cannot be counted, it fails while they are, or what ran contradicts what was measured.
    """
    as_compiled = builder.behaviour
    assert as_compiled is not None  # the step before
    with builder.holding(context.lock.shared()), builder.step("observe"):
        observed = _observe(context, compiled)
        try:
            cell, evidence = describe_run(
                builder.compiled_text,
                compiled.shared_object,
                compiled.disassembly,
                context.timer.extent,
                context.problem.nest_depth,
                observed,
            )
        except ValueError as error:
            raise Stop(Outcome.IMPLAUSIBLE, str(error)) from None
        loop = _explained(context, builder, compiled, observed, cell) if context.spec.explain else {}
    _check_serial(cell, observed)
    return Behaviour(cell, {**as_compiled.evidence, **evidence, **loop, **_both(as_compiled, cell, observed)})


def _explained(
    context: EvaluationContext, builder: EvaluationBuilder, compiled: Compiled, observed: Observed, cell: Cell
) -> Mapping[str, str]:
    return loop_evidence(context, builder, compiled.path, compiled.shared_object, compiled.disassembly, observed, cell)


def _both(as_compiled: Behaviour, cell: Cell, observed: Observed) -> dict[str, str]:
    seen = observed.runtime
    told = (
        f"{seen.regions} regions, teams of up to {observed.team}, {seen.tasks} tasks, {seen.shares} shares dealt, "
        f"{seen.copied_bytes} bytes copied by memcpy, {1e3 * observed.cpu_s:.3g} ms of processor time in "
        f"{1e3 * observed.awake_s:.3g} ms"
    )
    shown = {"as compiled": cell_name(as_compiled.cell)}
    names = [axis.name for i, axis in enumerate(AXES) if as_compiled.cell[i] != cell[i]]
    if names:
        shown["as compiled"] += " (" + "; ".join(f"{axis}: {as_compiled.evidence[axis]}" for axis in names) + ")"
    return {"as run": told, **shown}


def _check_serial(cell: Cell, observed: Observed) -> None:
    without_team = cell.threading == Threading.SERIAL and observed.team < 2  # threads of a team wait busily
    if without_team and observed.cpu_s > _SERIAL_CPU * observed.awake_s + _SERIAL_CPU_S:
        raise Stop(
            Outcome.IMPLAUSIBLE,
            f"no team of threads was started, and {1e3 * observed.cpu_s:.3g} ms of processor time were used in "
            f"{1e3 * observed.awake_s:.3g} ms; start threads with OpenMP's pragmas",
        )


def _observe(context: EvaluationContext, compiled: Compiled) -> Observed:
    """One call at each scored size; loops with the scored threads, teams with at least two."""
    try:
        path, counters = context.compile_counting(compiled.folder, compiled.shared_object.imports)
        copy = disassemble(read_shared_object(path))
    except (NotCountable, CompileError, CompileLate, ValueError) as error:
        raise Stop(Outcome.POLICY_VIOLATION, f"how often its loops run cannot be counted: {error}") from None
    threads = context.timer.spec.threads
    runs = [_run(context, compiled, path, counters, each) for each in sorted({threads, max(threads, _LEAST_THREADS)})]
    try:
        counts = [read_counts(run.rows, compiled.disassembly, copy) for run in runs]
    except ValueError as error:
        raise Stop(Outcome.POLICY_VIOLATION, f"how often its loops run cannot be counted: {error}") from None
    last = runs[-1]
    return Observed(
        counts[0], counts[-1], last.runtime, last.awake_s, last.cpu_s, *_bytes(context), helped_share(last.rows)
    )


@dataclass(frozen=True)
class _Run:
    rows: Array
    runtime: RuntimeFacts
    awake_s: float
    cpu_s: float


def _run(context: EvaluationContext, compiled: Compiled, path: Path, counters: int, threads: int) -> _Run:
    """The counting copy, called once at each scored size; its results are checked."""
    buffers, placement = context.timer.single_calls, CpuPlacement(-1, False, _SLOWER * context.spec.run.run_s)
    trace = MemoryFile("trace", trace_bytes(counters))
    try:
        memory = buffers.layout, buffers.inputs, buffers.outputs("challenger")
        thread_local_bytes = compiled.shared_object.thread_local_bytes
        child = context.start(path, *memory, threads, trace=trace, thread_local_bytes=thread_local_bytes)
        process = TimedProcess("challenger", child)
        with child, outcomes(lambda _: ", while its loops were counted"):
            child.run(0, 0, placement.timeout_s)  # what it takes to map the arrays is not the kernel's
            child.stop()
            awake_before_s, cpu_before_s = child.awake_s, child.cpu_s
            for scored in buffers.sizes:
                buffers.refresh(scored.calls, [process.name])
                checked_call(buffers, scored.first, process, placement)
            awake_s, cpu_s = child.awake_s - awake_before_s, child.cpu_s - cpu_before_s
        rows = trace.bytes[FACTS_BYTES : FACTS_BYTES + 8 * TRACE_ROWS * counters].view(np.uint64)
        names = [field.name for field in dataclasses.fields(RuntimeFacts)]
        facts = RuntimeFacts(**dict(zip(names, map(int, trace.bytes[: 8 * len(names)].view(np.uint64)), strict=True)))
        return _Run(rows.reshape(TRACE_ROWS, counters).copy(), facts, awake_s, cpu_s)
    finally:
        trace.close()


def _bytes(context: EvaluationContext) -> tuple[int, int]:
    """(all arrays, smallest array that is only read) of one call at each scored size."""
    buffers = context.timer.single_calls
    everything = operands = 0
    for scored in buffers.sizes:
        arrays = buffers.layout.calls[scored.first].arrays
        sizes = [(array.num_elements * array.dtype.itemsize, array.region) for array in arrays]
        everything += sum(num_bytes for num_bytes, _ in sizes)
        operands += min((num_bytes for num_bytes, region in sizes if region is Region.INPUT), default=0)
    return everything, operands
