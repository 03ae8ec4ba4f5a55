"""What is tried once before a run, so that faults of the set-up are not booked on kernels.

The scored sizes must be possible, the problem's own seed must pass with the run's compiler, flags and temporary folder,
and the baseline must be right and not above the peak, as kernels must.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from qdkernel.core import Kernel, Problem, check_prototype, size_text
from qdkernel.errors import ConfigError, QdkernelError, ToolchainError
from qdkernel.evaluators.pipeline.context import EvaluationContext
from qdkernel.evaluators.pipeline.evaluate import verify_only
from qdkernel.evaluators.pipeline.spec import TimingSpec
from qdkernel.evaluators.pipeline.timer import at_peaks_s
from qdkernel.evaluators.pipeline.timing import PEAK_MARGIN
from qdkernel.evaluators.sandbox import ChildFailed

_COPIES = 4  # of a written array: those of baseline, challenger and incumbent, and a fresh one
_TIME_SHARE = 0.5  # of the time limit that one call may take at the machine's peaks; by thought
_MEMORY_SHARE = 0.8  # of the free memory that the arrays of the timed calls may take; by thought
_INTEGERS = {"int32": 31, "int64": 63}  # bits of the largest value


def check_integers(problem: Problem, sizes: Sequence[Mapping[str, int]]) -> None:
    """Checks that the integers of every scored call fit into the types of the problem's prototype.

    Raises:
        ConfigError: one does not.
    """
    prototype = check_prototype(problem)
    for i, size in enumerate(sizes):
        case = problem.scored_case(size)
        for parameter in prototype.parameters:
            bits = _INTEGERS.get(parameter.kind.value)
            if bits is not None and abs(case[parameter.name]) >= 1 << bits:
                raise ConfigError(
                    f"sizes[{i}]: {parameter.name} = {case[parameter.name]} does not fit into the {parameter.c_type} "
                    f"of {problem.name}, which ends at {(1 << bits) - 1}; choose a smaller size"
                )


def check_sizes(problem: Problem, timing: TimingSpec, run_s: float, free_bytes: int) -> None:
    """Checks that the scored calls fit into memory and end within the time limit.

    Args:
        problem: what is computed.
        timing: gives the scored sizes and the machine's peaks.
        run_s: time limit of a block of calls, seconds.
        free_bytes: memory that processes may take without swapping.

    Raises:
        ConfigError: a size is beyond the memory, or beyond the limit even at the machine's peaks.
    """
    total = 0
    for i, size in enumerate(timing.sizes):
        total += _call_bytes(problem, size)
        if total > _MEMORY_SHARE * free_bytes:
            raise ConfigError(
                f"sizes[{i}]: the arrays of the timed calls up to {size_text(size)} take {total / 2**30:.3g} GiB, and "
                f"{free_bytes / 2**30:.3g} GiB of memory are free; choose a smaller size"
            )
        call_s = at_peaks_s(problem, timing, size)
        if call_s > _TIME_SHARE * run_s:
            raise ConfigError(
                f"sizes[{i}]: a call at {size_text(size)} takes {call_s:.3g} s at this machine's peak already, and "
                f"limits.run_s is {run_s:g} s; choose a smaller size, or set limits.run_s to {4 * call_s:.0f} or more"
            )


def _call_bytes(problem: Problem, size: Mapping[str, int]) -> int:
    """Bytes that the arrays of one timed call take in all processes together."""
    case = problem.scored_case(size)
    total = 0
    for argument in problem.arrays:
        extents = zip(argument.shape(case), argument.strides_of(case), strict=True)
        elements = 1 + sum((extent - 1) * abs(stride) for extent, stride in extents)
        total += elements * problem.dtype_of(argument).itemsize * (_COPIES if argument.is_written else 2)
    return total


def check_setup(context: EvaluationContext) -> None:
    """Checks temporary folder, compiler flags, the problem's own seed and the baseline, each by a trial.

    Raises:
        ToolchainError: one of them fails; the message names the flag or the setting.
    """
    folder = context.scratch.folder
    if os.statvfs(folder).f_flag & os.ST_NOEXEC:
        raise ToolchainError(
            f"the temporary folder {folder.parent} does not allow programs to run (it is mounted noexec), so no kernel "
            "can be loaded from it; set TMPDIR to one that does"
        )

    _check_seed(context)
    _check_baseline(context)


def check_speed(context: EvaluationContext, gflops: Sequence[float]) -> None:
    """Checks that the calibrated baseline is not above the machine's peak, which is measured again before it counts.

    Args:
        context: its spec has the peaks.
        gflops: the baseline's speed per scored size.

    Raises:
        ToolchainError: it is, so it cannot have computed the problem.
    """
    timer = context.timer
    for speed, scored in zip(gflops, timer.sizes, strict=True):
        least = speed * scored.least_flops / scored.flops
        if least > PEAK_MARGIN * timer.peak_gflops:
            with timer.alone():
                timer.measure_peaks_again()
        if least > PEAK_MARGIN * timer.peak_gflops:
            raise ToolchainError(
                f"the baseline {timer.baseline_name} is not plausible: {least:.1f} GFLOP/s at {size_text(scored.size)} "
                f"are above the measured peak of {timer.peak_gflops:.1f}; correct baseline.library and "
                "baseline.symbol"
            )


@contextmanager
def baseline_failures(name: str) -> Iterator[None]:
    """Turns a failure of the baseline's process into an error with advice.

    Raises:
        ToolchainError: the baseline crashed or was late.
    """
    try:
        yield
    except ChildFailed as error:
        raise ToolchainError(
            f"the baseline {name} failed: {error}; correct baseline.library and baseline.symbol, choose smaller sizes, "
            "or raise limits.run_s and limits.memory_mb"
        ) from None


def _check_seed(context: EvaluationContext) -> None:
    if _fault_of_seed(context) is None or (reason := _fault_of_seed(context)) is None:
        return  # a fault of the set-up shows again; a compiler that was killed, or a busy host, does not
    flags, seed = context.spec.compile.flags, context.problem.seeds[0]
    culprits = [flag for i, flag in enumerate(flags) if _passes_with(context, (*flags[:i], *flags[i + 1 :]))]
    told = reason if len(reason) <= 600 else f"{reason[:600]} [...]"
    advice = (
        f"it passes without {' or without '.join(culprits)}: remove that from compiler.flags"
        if culprits
        else "check compiler.command, compiler.flags and limits"
    )
    raise ToolchainError(
        f"{context.problem.name}'s own seed {seed} fails with {context.toolchain.command} {' '.join(flags)}, so "
        f"no kernel would: {told}\n{advice}"
    )


def _fault_of_seed(context: EvaluationContext) -> str | None:
    kernel = Kernel(context.problem.seed_source(context.problem.seeds[0]))
    with context.build_folder() as folder:
        made, reason = verify_only(context, kernel, Path(folder))
    return None if made is not None else reason


def _passes_with(context: EvaluationContext, flags: tuple[str, ...]) -> bool:
    """Whether the seed passes with other flags, in a context of its own."""
    with tempfile.TemporaryDirectory(prefix="preflight-", dir=context.scratch.folder) as folder:
        spec = replace(context.spec, scratch=folder, compile=replace(context.spec.compile, flags=flags), timing=None)
        try:
            other = EvaluationContext(spec)
        except QdkernelError:
            return False
        try:
            return _fault_of_seed(other) is None
        finally:
            other.close()


def _check_baseline(context: EvaluationContext) -> None:
    suite, name = context.suite, context.baseline.name
    suite.reset()
    with baseline_failures(name), context.start_baseline(suite.layout, suite.inputs, suite.outputs) as child:
        child.run(0, len(suite.layout.calls), context.spec.run.run_s)
    if complaint := suite.judge().complaint:
        raise ToolchainError(
            f"the baseline {name} does not compute {context.problem.name}: {complaint}; correct baseline.library and "
            "baseline.symbol"
        )
