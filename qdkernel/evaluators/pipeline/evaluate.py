"""Evaluating one kernel in eight steps, cheapest first; each failure is an outcome with a text to act on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from qdkernel.core import Behaviour, Cell, Evaluation, Kernel, Outcome, VerificationResult
from qdkernel.evaluators.behaviour import describe
from qdkernel.evaluators.binary import (
    Disassembly,
    SharedObject,
    disassemble,
    read_shared_object,
    refuse_object,
    scalable_bits,
)
from qdkernel.evaluators.pipeline.beyond import verify_beyond
from qdkernel.evaluators.pipeline.builder import EvaluationBuilder, Stop, outcomes
from qdkernel.evaluators.pipeline.context import EvaluationContext
from qdkernel.evaluators.pipeline.observation import Compiled, observe_behaviour
from qdkernel.evaluators.pipeline.races import check_races, races_wanted
from qdkernel.evaluators.pipeline.timing import remeasure_timing, time_challenger
from qdkernel.evaluators.pipeline.verification import VerificationSuite
from qdkernel.evaluators.sandbox import Child
from qdkernel.evaluators.source import normal_hash, refuse_bytes, refuse_source
from qdkernel.evaluators.toolchain import CompileError, CompileLate

Accept = Callable[[Cell, Mapping[str, str]], str | None]
"""``accept(cell, evidence)``: why a kernel of this behaviour is outside its stage; ``None`` when it is not."""


def evaluate(
    context: EvaluationContext, kernel: Kernel, accept: Accept | None = None, is_seed: bool = False
) -> Evaluation:
    """Takes a kernel through the eight steps.

    A kernel that may be at least as fast as the incumbent of its cell is also timed against it. One
    that wins, or fills an empty cell, runs once more while its blocks are counted, and its behaviour is what ran.

    Args:
        context: of this process; its scratch folder holds known hashes and incumbents.
        kernel: the candidate.
        accept: called once the behaviour is known; a reason ends the evaluation as ``outside_stage``.
        is_seed: whether a kernel that is stopped at a scored size is a result all the same, with a bound on its speed.

    Raises:
        ContainmentError: this machine cannot contain the kernel; nothing was run.
        ToolchainError: the project's own C or the baseline cannot be built.
    """
    builder = EvaluationBuilder(kernel)
    busy_before_ns = context.native.busy_ns
    try:
        with context.build_folder() as folder:
            with builder.holding(context.lock.shared()):
                check_source(context, builder, Path(folder))
                made = compile_step(context, builder, Path(folder))
                shared_object, disassembly = check_object(context, builder, made)
                compiled = Compiled(Path(folder), made, shared_object, disassembly)
                with builder.step("behaviour"):
                    cell, evidence = describe(
                        builder.compiled_text,
                        shared_object,
                        disassembly,
                        context.timer.extent,
                        context.problem.nest_depth,
                    )
                    evidence = {**evidence, "re-entrancy": _reentrancy(shared_object)}
                builder.behaviour = Behaviour(cell, evidence)
                _check_stage(accept, builder.behaviour)
                with builder.step("verify"):
                    verify(context, builder, made)
            observed = partial(_observed_behaviour, context, builder, compiled, accept)
            time_challenger(context, builder, made, builder.behaviour, is_seed, observed)
            if context.spec.thorough and context.spec.timing:
                call_beyond(context, builder, made, context.spec.timing.sizes)
            shutil.move(made, context.scratch.object_path(kernel.id))
    except Stop as stop:
        return builder.finish(stop.outcome, stop.detail, stop.duplicate_of)
    finally:
        builder.step_s["kernels"] = (context.native.busy_ns - busy_before_ns) * 1e-9  # part of verify and time
    return builder.finish(Outcome.OK, builder.detail)


def _check_stage(accept: Accept | None, behaviour: Behaviour) -> None:
    if accept and (reason := accept(behaviour.cell, behaviour.evidence)):
        raise Stop(Outcome.OUTSIDE_STAGE, reason)


def _observed_behaviour(
    context: EvaluationContext, builder: EvaluationBuilder, compiled: Compiled, accept: Accept | None
) -> Behaviour:
    """The behaviour by what ran, which has to be within the stage as well; its threads must not race."""
    behaviour = observe_behaviour(context, builder, compiled)
    _check_stage(accept, behaviour)
    if races_wanted(context, builder, behaviour.cell):
        races = check_races(context, builder, compiled)
        behaviour = replace(behaviour, evidence={**behaviour.evidence, "races": races})
    return behaviour


def remeasure(context: EvaluationContext, kernel: Kernel) -> Evaluation:
    """Times an elite again in a fresh process; it was verified before, and its timed results are checked again.

    Raises:
        ContainmentError: this machine cannot contain the kernel; nothing was run.
    """
    builder = EvaluationBuilder(kernel)
    try:
        remeasure_timing(context, builder, kernel)
    except Stop as stop:
        return builder.finish(stop.outcome, stop.detail)
    return builder.finish(Outcome.OK, "")


def verify_only(
    context: EvaluationContext, kernel: Kernel, folder: Path, sizes: Sequence[Mapping[str, int]] = ()
) -> tuple[Path | None, str]:
    """The shared object of a kernel that passes policy and verification here; otherwise ``None`` and the reason.

    With ``sizes``, the scored ones, it is also called far beyond them; the text beside the object states what was not
    tried.

    Raises:
        ContainmentError: this machine cannot contain the kernel; nothing was run.
    """
    builder = EvaluationBuilder(kernel)
    try:
        with context.lock.shared():
            check_source(context, builder, folder)
            made = compile_step(context, builder, folder)
            check_object(context, builder, made)
            verify(context, builder, made)
        if sizes:
            call_beyond(context, builder, made, sizes)
    except Stop as stop:
        return None, f"{stop.outcome.value}: {stop.detail}"
    return made, builder.detail


def call_beyond(
    context: EvaluationContext, builder: EvaluationBuilder, made: Path, sizes: Sequence[Mapping[str, int]]
) -> None:
    """Calls a verified kernel far beyond the scored sizes; what was not tried joins its text.

    Raises:
        Stop: it failed there.
    """
    with builder.holding(context.lock.shared()), builder.step("beyond"):
        builder.detail = "; ".join(filter(None, (builder.detail, *verify_beyond(context, made, sizes))))


def check_source(context: EvaluationContext, builder: EvaluationBuilder, folder: Path) -> None:
    """Steps 1 and 4a: the source policy, and whether an earlier kernel has the same normal form."""
    source, function = builder.kernel.source, context.problem.name
    raw = source.encode("utf-8", "surrogateescape")
    with builder.step("source policy"):
        if reason := refuse_bytes(raw, function):
            raise Stop(Outcome.POLICY_VIOLATION, reason)
        preprocessed = context.preprocess(source.removeprefix("\ufeff"), folder)
        if reason := refuse_source(raw, function, preprocessed):
            raise Stop(Outcome.POLICY_VIOLATION, reason)
        builder.compiled_text = source if preprocessed is None else preprocessed.text(function)
        code = normal_hash(source)
        builder.hashes = replace(builder.hashes, normal=code)
        _stop_if_known(context, builder.kernel, code, "the same source up to names, comments and spacing")


def compile_step(context: EvaluationContext, builder: EvaluationBuilder, folder: Path) -> Path:
    """Step 2: the shared object; and once more without optimisation, for the hash that published work groups by."""
    with builder.step("compile"):
        try:
            made = context.compile(builder.kernel.source, folder)
        except CompileError as error:
            raise Stop(Outcome.COMPILE_ERROR, str(error)) from None
        except CompileLate as error:
            raise Stop(Outcome.TIMEOUT, str(error)) from None
    with builder.step("assembly"):
        code = context.assembly_hash(builder.kernel.source, folder)
        builder.hashes = replace(builder.hashes, assembly=code)
    return made


def check_object(
    context: EvaluationContext, builder: EvaluationBuilder, made: Path
) -> tuple[SharedObject, Disassembly]:
    """Steps 3 and 4b: the object policy, and whether an earlier kernel compiled to the same code."""
    with builder.step("object policy"):
        try:
            shared_object = read_shared_object(made)
            disassembly = disassemble(shared_object, scalable_bits(context.spec.compile.flags))
        except ValueError as error:
            raise Stop(Outcome.POLICY_VIOLATION, f"the object cannot be read: {error}") from None
        if reason := refuse_object(shared_object, disassembly, context.problem.name, context.spec.isa):
            raise Stop(Outcome.POLICY_VIOLATION, reason)
        builder.hashes = replace(builder.hashes, object=shared_object.code_hash)
        _stop_if_known(context, builder.kernel, shared_object.code_hash, "the same machine code")
        return shared_object, disassembly


def _reentrancy(shared_object: SharedObject) -> str:
    """Whether two threads of a program may call the kernel at the same time, read from the object."""
    if num_bytes := shared_object.static_bytes:
        return f"no: {num_bytes} bytes of writable static data; one call at a time in a process"
    return "yes: no writable static data; threads may call it at the same time"


def _stop_if_known(context: EvaluationContext, kernel: Kernel, code: str, what: str) -> None:
    earlier = context.scratch.known(code)
    if earlier is not None and earlier != kernel.id:
        raise Stop(Outcome.DUPLICATE, f"{what} as kernel {earlier[:12]}", earlier)


def verify(context: EvaluationContext, builder: EvaluationBuilder, made: Path) -> None:
    """Step 6: every case of the suite with 1, 2 and all threads, each in a child; with all threads in two."""
    suite, results = context.suite, []
    for threads in (*context.verify_threads, context.verify_threads[-1]):
        with context.start(made, suite.layout, suite.inputs, suite.outputs, threads) as child:
            verification = _verify_pass(context, builder, child, threads)
        results.append(suite.results())
    builder.verification = replace(verification, deterministic=np.array_equal(results[-2], results[-1]))


def _verify_pass(
    context: EvaluationContext, builder: EvaluationBuilder, child: Child, threads: int
) -> VerificationResult:
    """One pass over the suite; returns the verification result so far."""
    suite = context.suite
    suite.reset()
    with outcomes(partial(_where, suite, threads)):
        child.go_on()
        child.run(0, len(suite.layout.calls), context.spec.run.run_s, freeze=True)
    verdict = suite.judge()
    before = builder.verification or VerificationResult(0.0, context.problem.error_limit, context.spec.accuracy, 0)
    worst = max(before.error_ratio, verdict.error_ratio)
    builder.verification = replace(before, error_ratio=worst, calls=before.calls + len(suite.layout.calls))
    if child.changed_float_control:
        raise Stop(
            Outcome.WRONG, "a call left another rounding or flush-to-zero mode behind; restore it, or do without"
        )
    if verdict.complaint:
        raise Stop(Outcome.WRONG, f"{verdict.complaint}, {threads} thread{'s' if threads > 1 else ''}")
    return builder.verification


def _where(suite: VerificationSuite, threads: int, call: int) -> str:
    return f" (in case {suite.describe_case(call)}, {threads} thread{'s' if threads > 1 else ''})"
