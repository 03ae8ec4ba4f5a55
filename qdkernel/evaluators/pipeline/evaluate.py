"""Evaluating one kernel: eight steps, cheap to dear; each failure is an outcome with text one can act on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from qdkernel.core import Cell, Evaluation, Kernel, Outcome, Proof
from qdkernel.evaluators.binary import Disassembly, SharedObject, disassemble, read_shared_object, refuse_object
from qdkernel.evaluators.pipeline.builder import Draft, Stop, outcomes
from qdkernel.evaluators.pipeline.context import Bench
from qdkernel.evaluators.pipeline.timing import time_again, time_and_duel
from qdkernel.evaluators.pipeline.verification import Sheet
from qdkernel.evaluators.sandbox import Child
from qdkernel.evaluators.source import normal_hash, refuse_source
from qdkernel.evaluators.toolchain import CompileError, CompileLate

Admit = Callable[[Cell, Mapping[str, str]], str | None]
"""``admit(cell, evidence)``: why a kernel that behaves so may not compete; ``None`` when it may."""


def evaluate(bench: Bench, kernel: Kernel, admit: Admit | None = None) -> Evaluation:
    """What happened to a kernel on the way through the eight steps.

    A kernel that looks at least as fast as the holder of its cell is also timed against it; one that is clearly
    slower is dropped after a call or two.

    Args:
        bench: the place of work; its shelf tells known hashes and holders.
        kernel: the candidate.
        admit: asked once the behaviour is known; a refusal ends the evaluation as ``outside_stage``.

    Raises:
        ContainmentError: this machine cannot contain the kernel; nothing was run.
        ToolchainError: the project's own C or the baseline cannot be built.
    """
    draft = Draft(kernel)
    busy_before_ns = bench.native.busy_ns
    try:
        with bench.build_folder() as folder:
            with draft.holding(bench.lock.shared()):
                check_source(bench, draft)
                made = compile_step(bench, draft, Path(folder))
                shared_object, disassembly = check_object(bench, draft, made)
                with draft.step("behaviour"):
                    draft.cell, draft.evidence = bench.spec.describe(
                        kernel.source, shared_object, disassembly, bench.extent, bench.problem.nest_depth
                    )
                if admit and (reason := admit(draft.cell, draft.evidence)):
                    raise Stop(Outcome.OUTSIDE_STAGE, reason)
                with draft.step("verify"):
                    verify(bench, draft, made)
            time_and_duel(bench, draft, made)
            shutil.move(made, bench.shelf.object_path(kernel.id))
    except Stop as stop:
        return draft.finish(stop.outcome, stop.detail, stop.duplicate_of)
    finally:
        draft.step_s["kernels"] = (bench.native.busy_ns - busy_before_ns) * 1e-9  # part of verify and time
    return draft.finish(Outcome.OK, draft.detail)


def look_again(bench: Bench, kernel: Kernel) -> Evaluation:
    """A further timing of an elite in a fresh process; it was proven before, and its timed results are checked again.

    Raises:
        ContainmentError: this machine cannot contain the kernel; nothing was run.
    """
    draft = Draft(kernel)
    try:
        time_again(bench, draft, kernel)
    except Stop as stop:
        return draft.finish(stop.outcome, stop.detail)
    return draft.finish(Outcome.OK, "")


def prove(bench: Bench, kernel: Kernel, folder: Path) -> tuple[Path | None, str]:
    """The shared object of a kernel that passes policy and verification here; otherwise ``None`` and the reason.

    Raises:
        ContainmentError: this machine cannot contain the kernel; nothing was run.
    """
    draft = Draft(kernel)
    try:
        with bench.lock.shared():
            check_source(bench, draft)
            made = compile_step(bench, draft, folder)
            check_object(bench, draft, made)
            verify(bench, draft, made)
    except Stop as stop:
        return None, f"{stop.outcome.value}: {stop.detail}"
    return made, ""


def check_source(bench: Bench, draft: Draft) -> None:
    """Steps 1 and 4a: the source policy, and whether an earlier kernel has the same normal form."""
    with draft.step("source policy"):
        raw = draft.kernel.source.encode("utf-8", "surrogateescape")
        if reason := refuse_source(raw, bench.problem.name):
            raise Stop(Outcome.REFUSED, reason)
        draft.normal_hash = normal_hash(draft.kernel.source)
        _stop_if_known(bench, draft.kernel, draft.normal_hash, "the same source up to names, comments and spacing")


def compile_step(bench: Bench, draft: Draft, folder: Path) -> Path:
    """Step 2: the shared object; and once more without optimisation, for the hash that published work groups by."""
    with draft.step("compile"):
        try:
            made = bench.compile(draft.kernel.source, folder)
        except CompileError as error:
            raise Stop(Outcome.COMPILE_ERROR, str(error)) from None
        except CompileLate as error:
            raise Stop(Outcome.TIMEOUT, str(error)) from None
    with draft.step("assembly"):
        draft.assembly_hash = bench.assembly_hash(draft.kernel.source, folder)
    return made


def check_object(bench: Bench, draft: Draft, made: Path) -> tuple[SharedObject, Disassembly]:
    """Steps 3 and 4b: the object policy, and whether an earlier kernel compiled to the same code."""
    with draft.step("object policy"):
        try:
            shared_object = read_shared_object(made)
            disassembly = disassemble(shared_object)
        except ValueError as error:
            raise Stop(Outcome.REFUSED, f"the object cannot be read: {error}") from None
        if reason := refuse_object(shared_object, disassembly, bench.problem.name):
            raise Stop(Outcome.REFUSED, reason)
        draft.object_hash = shared_object.code_hash
        _stop_if_known(bench, draft.kernel, draft.object_hash, "the same machine code")
        return shared_object, disassembly


def _stop_if_known(bench: Bench, kernel: Kernel, code: str, what: str) -> None:
    earlier = bench.shelf.known(code)
    if earlier is not None and earlier != kernel.id:
        raise Stop(Outcome.DUPLICATE, f"{what} as kernel {earlier[:12]}", earlier)


def verify(bench: Bench, draft: Draft, made: Path) -> None:
    """Step 6: every case of the sheet with 1, 2 and all threads, in contained children; with all threads twice."""
    sheet, all_threads = bench.sheet, bench.verify_threads[-1]
    for threads in bench.verify_threads:
        with bench.start(made, sheet.layout, sheet.inputs, sheet.outputs, threads) as child:
            proof = _prove(bench, draft, child, threads)
            if threads == all_threads:
                first = sheet.results()
                proof = _prove(bench, draft, child, threads)
                draft.proof = replace(proof, deterministic=np.array_equal(first, sheet.results()))


def _prove(bench: Bench, draft: Draft, child: Child, threads: int) -> Proof:
    """One pass over the sheet, and the proof as far as it has come."""
    sheet = bench.sheet
    sheet.reset()
    with outcomes(partial(_where, sheet, threads)):
        child.go_on()
        child.run(0, len(sheet.layout.calls), bench.spec.run_s, freeze=True)
    verdict = sheet.judge()
    before = draft.proof or Proof(0.0, bench.problem.error_limit, bench.spec.accuracy, 0)
    worst = max(before.error_ratio, verdict.error_ratio)
    draft.proof = replace(before, error_ratio=worst, calls=before.calls + len(sheet.layout.calls))
    if child.changed_float_control:
        raise Stop(
            Outcome.WRONG, "a call left another rounding or flush-to-zero mode behind; restore it, or do without"
        )
    if verdict.complaint:
        raise Stop(Outcome.WRONG, f"{verdict.complaint}, {threads} thread{'s' if threads > 1 else ''}")
    return draft.proof


def _where(sheet: Sheet, threads: int, call: int) -> str:
    return f" (in case {sheet.describe_case(call)}, {threads} thread{'s' if threads > 1 else ''})"
