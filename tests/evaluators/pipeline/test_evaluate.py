"""Whole evaluations: every kind of bad kernel ends in its outcome, with text one can act on."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import math
import os
from pathlib import Path

import psutil
import pytest

from qdkernel.core import AXES, Fault, Kernel, Outcome
from qdkernel.evaluators.measurement import WrongResult
from qdkernel.evaluators.pipeline import EvaluationContext, EvaluationTask, evaluate, perform
from qdkernel.evaluators.pipeline.timing import fault_of
from qdkernel.evaluators.pipeline.worker import _drop_context
from qdkernel.evaluators.sandbox import ChildCrashed, ChildStartFailed, ChildTimeout
from qdkernel.problems import find_problem
from tests.compiled import HEAD
from tests.conftest import make_spec, naive, run_with, timed_with

pytestmark = pytest.mark.isa_dependent

INCLUDES = "#include <stdlib.h>\n#include <string.h>\n#include <stddef.h>\n"

# body -> outcome and words of the detail
BAD_BODIES = {
    "volatile int x = 1; while (x) {}": (Outcome.TIMEOUT, "not done after"),
    "*(volatile int *)8 = 1;": (Outcome.CRASHED, "killed by SIGSEGV"),
    "exit(0);": (Outcome.POLICY_VIOLATION, "exit"),
    "extern int fork(void); for (;;) fork();": (Outcome.POLICY_VIOLATION, "fork"),
    'extern int puts(const char *); puts("hello");': (Outcome.POLICY_VIOLATION, "puts"),
    "char *p = malloc(10ul << 30); memset(p, 1, 10ul << 30); C[0] = p[7];": (Outcome.CRASHED, "killed by SIGSEGV"),
    "C[0] = 1;": (Outcome.CRASHED, "SIGSEGV"),  # m = 0 first: C has no element
    "": (Outcome.WRONG, "should be"),
    "int x = ;": (Outcome.COMPILE_ERROR, "error:"),
}


@pytest.mark.slow
@pytest.mark.parametrize("body", BAD_BODIES)
def test_a_bad_kernel_ends_in_one_outcome_with_its_reason(body: str, context: EvaluationContext) -> None:
    outcome, words = BAD_BODIES[body]
    found = evaluate(context, Kernel(f"{INCLUDES}{HEAD}\n{{ {body} }}\n"))
    assert found.outcome is outcome, found.detail
    assert words in found.detail
    assert found.objective is None


@pytest.mark.parametrize(
    ("source", "outcome", "words"),
    [
        ("", Outcome.POLICY_VIOLATION, "empty"),
        ("/* " + "x" * 10_000_000 + " */" + naive(), Outcome.POLICY_VIOLATION, "at most 65536"),
        (naive() + "/* \udcff */", Outcome.POLICY_VIOLATION, "UTF-8"),
        ("int dgemm(float x) { return 0; }", Outcome.COMPILE_ERROR, "conflicting types"),
        ("void other(void) {}", Outcome.POLICY_VIOLATION, "dgemm"),
    ],
    ids=["empty", "10 MB", "not UTF-8", "wrong prototype", "no such function"],
)
def test_a_file_that_is_no_kernel_is_turned_away(
    source: str, outcome: Outcome, words: str, context: EvaluationContext
) -> None:
    found = evaluate(context, Kernel(source))
    assert (found.outcome, words in found.detail) == (outcome, True), found.detail


def test_the_naive_kernel_is_correct_timed_and_placed(context: EvaluationContext) -> None:
    found = evaluate(context, Kernel(naive()))
    assert found.outcome is Outcome.OK, found.detail
    assert found.cell is not None
    assert found.objective is not None
    assert found.objective > 0
    assert found.verification is not None
    assert 0 < found.verification.error_ratio < found.verification.error_limit == 16
    assert found.verification.deterministic
    assert found.verification.calls == (len(context.verify_threads) + 1) * len(context.suite.layout.calls)
    assert len(found.timings[0].kernel_ns) == len(found.timings[0].reference_ns) >= 2
    assert context.scratch.object_path(found.kernel_id).exists()


@pytest.mark.slow
@pytest.mark.skipif(os.cpu_count() == 1, reason="one thread adds in one order")
def test_a_sum_in_the_order_in_which_threads_arrive_is_right_but_not_deterministic(tmp_path: Path) -> None:
    context = EvaluationContext(run_with(make_spec(tmp_path), run_s=30.0))  # atomics are slow on a busy host
    loop = "for (int p = 0; p < k; p++)"
    team = f"\n#pragma omp parallel for schedule(dynamic, 4)\n{loop}\n#pragma omp atomic\n"
    racing = naive().replace(loop, team)
    try:
        found = evaluate(context, Kernel(racing))
    finally:
        context.close()
    assert found.outcome is Outcome.OK, found.detail
    assert found.verification is not None
    assert found.verification.deterministic is False


def test_a_path_that_is_wrong_beside_the_scored_sizes_is_named_with_its_case(context: EvaluationContext) -> None:
    guard = "if (m > 48 && m < 60 && n > 48 && n < 60 && k > 48 && k < 60)\n        k--;\n"
    found = evaluate(context, Kernel(naive().replace("{", "{\n    " + guard, 1)))
    assert found.outcome is Outcome.WRONG, found.detail
    assert "a call beside the scored ones (m=" in found.detail
    assert ", alpha=" in found.detail


def test_a_baseline_that_was_killed_is_nobodys_fault_and_the_next_kernel_has_a_new_one(tmp_path: Path) -> None:
    spec = make_spec(tmp_path)
    try:
        assert perform(EvaluationTask(spec, Kernel(naive()))).outcome is Outcome.OK
        (baseline,) = (p for p in psutil.Process().children() if p.name() == "runner")
        baseline.kill()
        second, third = (perform(EvaluationTask(spec, Kernel(f"{naive()}/* {n} */"))) for n in range(2))
    finally:
        _drop_context()
    assert second.outcome is Outcome.LOST
    assert "SIGKILL" in second.detail
    assert third.outcome is Outcome.OK, third.detail


WRONG = {
    "stops a row early": ("i < m; i++", "i < m - 1; i++"),
    "ignores alpha": ("alpha *", "1.0 *"),
    "computes in single precision": ("double sum", "float sum"),
}


def test_the_wrong_kernels_below_differ_from_the_naive_one() -> None:
    assert [name for name, (old, _) in WRONG.items() if old not in naive()] == []


@pytest.mark.parametrize("mistake", WRONG)
def test_a_plausible_mistake_is_found(mistake: str, context: EvaluationContext) -> None:
    old, new = WRONG[mistake]
    found = evaluate(context, Kernel(naive().replace(old, new)))
    assert found.outcome is Outcome.WRONG, found.detail
    assert "case m=" in found.detail


def test_a_kernel_that_remembers_its_answer_is_wrong_when_timed(context: EvaluationContext) -> None:
    # right on every verify case, as those differ in shape; stale on the timed calls, which do not
    memo = (
        naive().replace("void dgemm(", "static void honest(")
        + """
    static int last;
    void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda,
               const double *restrict B, int ldb, double beta, double *restrict C, int ldc)
    {
        static double saved[4096];
        if (m == 48 && n == 48 && k == 48 && last++) {
            for (int i = 0; i < m; i++) for (int j = 0; j < n; j++) C[i * ldc + j] = saved[i * n + j];
            return;
        }
        honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
        if (m == 48 && n == 48 && k == 48)
            for (int i = 0; i < m; i++) for (int j = 0; j < n; j++) saved[i * n + j] = C[i * ldc + j];
    }
    """
    )
    found = evaluate(context, Kernel(memo))
    assert found.outcome is Outcome.WRONG, found.detail
    assert "timed call" in found.detail


def test_a_kernel_that_flushes_subnormals_for_its_caller_is_wrong(context: EvaluationContext) -> None:
    body = "#include <immintrin.h>\n" + naive()
    changed = body.replace("void dgemm(", "static void honest(") + (
        "void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B,"
        "int ldb, double beta, double *restrict C, int ldc) { _mm_setcsr(_mm_getcsr() | 0x8040);"
        "honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc); }"
    )
    found = evaluate(context, Kernel(changed))
    assert found.outcome in (Outcome.POLICY_VIOLATION, Outcome.WRONG), found.detail


def test_an_equal_kernel_is_a_duplicate_before_and_after_compiling(context: EvaluationContext) -> None:
    first = evaluate(context, Kernel(naive()))
    assert first.hashes.normal is not None
    assert first.hashes.object is not None
    context.scratch.add_known(first.hashes.normal, first.kernel_id)
    context.scratch.add_known(first.hashes.object, first.kernel_id)
    respelt = evaluate(context, Kernel(naive() + "\n/* a comment */\n"))
    assert (respelt.outcome, respelt.duplicate_of) == (Outcome.DUPLICATE, first.kernel_id)
    assert "compile" not in respelt.step_s
    rewritten = evaluate(context, Kernel(naive().replace("i++", "i = i + 1")))
    assert (rewritten.outcome, rewritten.duplicate_of) == (Outcome.DUPLICATE, first.kernel_id)
    assert "compile" in rewritten.step_s
    assert rewritten.hashes.object == first.hashes.object
    assert None not in (first.hashes.assembly, rewritten.hashes.assembly)
    assert respelt.hashes.assembly is None


def test_a_kernel_that_compiles_with_optimisation_only_is_ok_without_an_assembly_hash(
    context: EvaluationContext,
) -> None:
    found = evaluate(context, Kernel("#ifndef __OPTIMIZE__\n#error slow\n#endif\n" + naive()))
    assert found.outcome is Outcome.OK, found.detail
    assert found.hashes.assembly is None


def test_faster_than_the_machine_is_implausible(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_machine = EvaluationContext(timed_with(make_spec(tmp_path), peak_gflops=1e-6))
    monkeypatch.setattr(slow_machine.timer, "measure_peaks_again", lambda: False)
    with contextlib.closing(slow_machine):
        found = evaluate(slow_machine, Kernel(naive()))
    assert found.outcome is Outcome.IMPLAUSIBLE
    assert "above the measured peak" in found.detail


@pytest.mark.slow
def test_a_peak_that_was_measured_too_low_accuses_nobody(tmp_path: Path) -> None:
    spec = timed_with(make_spec(tmp_path), peak_gflops=1e-6, simd_gflops={"512": 1e-6, "256": 1e-6, "128": 1e-6})
    with contextlib.closing(EvaluationContext(spec)) as context:
        found = evaluate(context, Kernel(naive()))
        assert (found.outcome, found.detail) == (Outcome.OK, "")
        assert context.timer.peak_gflops > found.timings[0].gflops
        assert not context.timer.measure_peaks_again()  # once a minute


@pytest.mark.slow
@pytest.mark.parametrize("file", find_problem("jacobi2d").seeds)
def test_the_other_problem_goes_through_the_same_steps(file: str, tmp_path: Path) -> None:
    context = EvaluationContext(make_spec(tmp_path, "jacobi2d", size=96, threads=min(2, os.cpu_count() or 1)))
    try:
        found = evaluate(context, Kernel(context.problem.seed_source(file)))
    finally:
        context.close()
    assert found.outcome is Outcome.OK, found.detail


def test_evaluations_leave_no_process_descriptor_or_file_behind(tmp_path: Path) -> None:
    gc.collect()  # what earlier tests left to the collector must not close its descriptors during this one
    me = psutil.Process()
    others = me.children(recursive=True)  # of earlier tests, e.g. the tracker of loky's semaphores
    context = EvaluationContext(make_spec(tmp_path))
    try:
        evaluate(context, Kernel(naive()))  # makes what a context keeps: baseline, output files
        descriptors, children = me.num_fds(), len(me.children(recursive=True))
        for body in ("*(volatile int *)8 = 1;", "C[0] = 1;", "int x = ;"):
            evaluate(context, Kernel(f"{INCLUDES}{HEAD}\n{{ {body} }}\n"))
        evaluate(context, Kernel(naive().replace("int i = 0", "int i = 0 * 1")))
        assert (me.num_fds(), len(me.children(recursive=True))) == (descriptors, children)
    finally:
        context.close()
    assert [child for child in me.children(recursive=True) if child not in others] == []
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("build-")] == []


def test_a_kernel_that_is_not_done_within_the_patience_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qdkernel.evaluators.pipeline.timer._PATIENCE_S", 0.02)
    lingers = naive().replace("{", "{ for (volatile long i = 0; m == 48 && n == 48 && i < 300000000; i++) {}", 1)
    context = EvaluationContext(timed_with(make_spec(tmp_path), patience=1e-3))
    try:
        found, seed = (evaluate(context, Kernel(lingers), is_seed=is_seed) for is_seed in (False, True))
        assert found.outcome is Outcome.TIMEOUT
        assert "times slower than the baseline or more" in found.detail
        assert seed.outcome is Outcome.OK
        assert seed.measured is not None
        assert seed.measured.bound
        assert "at most what is recorded" in seed.detail
        [timing] = seed.timings
        assert timing.kernel_ns[0] == pytest.approx(1e9 * context.timer.patience_s(0))
        assert timing.ratio_low == 0.0

        # it holds its cell until a kernel is measured there, which beats it without another call
        assert seed.cell is not None
        context.scratch.set_incumbent(seed.cell, Kernel(lingers), seed.measured.objective, bound=True)
        other = evaluate(context, Kernel(naive()))
        assert other.outcome is Outcome.OK, other.detail
        assert other.cell == seed.cell
        assert other.duel is not None
        assert (other.duel.kernel_ns, other.duel.high) == ((), math.inf)
        assert other.duel.low > 1.0
    finally:
        context.close()


def test_the_start_of_a_child_takes_nothing_from_the_patience_for_its_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qdkernel.evaluators.pipeline.timer._PATIENCE_S", 0.06)
    context = EvaluationContext(timed_with(make_spec(tmp_path), patience=1e-3))
    slow = tmp_path / "slow_runner"
    slow.write_text(f'#!/bin/sh\n/bin/sleep 0.15\nexec {context.built.runner} "$@"\n')
    slow.chmod(0o755)
    context.built = dataclasses.replace(context.built, runner=slow)
    try:
        found = evaluate(context, Kernel(naive()))
    finally:
        context.close()
    assert found.outcome is Outcome.OK, found.detail


def test_a_crash_that_does_not_come_twice_is_no_fault(context: EvaluationContext) -> None:
    found = evaluate(context, Kernel(naive()))
    made = context.scratch.object_path(found.kernel_id)
    for error in (
        ChildCrashed("left with exit status 1", 0),
        ChildStartFailed("mapping a segment", 0),
        ChildTimeout("", 0),
    ):
        assert fault_of(context.timer, error, made) is None
    assert fault_of(context.timer, WrongResult("is wrong", "incumbent"), made) == Fault(Outcome.WRONG, "is wrong")


def test_the_evidence_says_whether_threads_may_call_the_kernel_at_the_same_time(context: EvaluationContext) -> None:
    assert evaluate(context, Kernel(naive())).evidence["re-entrancy"].startswith("yes: no writable static data")
    kept = naive().replace("{", "{ static double kept[64]; kept[n & 63] = beta; kept[k & 63] += kept[n & 63];", 1)
    assert evaluate(context, Kernel(kept)).evidence["re-entrancy"].startswith("no: 512 bytes of writable static data")


def test_a_speed_above_the_peak_of_its_level_is_never_stored(
    context: EvaluationContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = evaluate(context, Kernel(naive()))
    assert found.cell is not None
    level = AXES[1].levels[found.cell[1]]
    spec = timed_with(context.spec, simd_gflops={level: 1e-3, "other": 1e9})
    narrow = EvaluationContext(spec)
    monkeypatch.setattr(narrow.timer, "measure_peaks_again", lambda: False)
    with contextlib.closing(narrow):
        refused = evaluate(narrow, Kernel(naive()))
    assert refused.outcome is Outcome.IMPLAUSIBLE
    assert f"is above the 0.0 that {level} code reaches here" in refused.detail


@pytest.mark.slow
def test_what_it_takes_to_map_large_arrays_is_not_the_processor_time_of_a_serial_kernel(tmp_path: Path) -> None:
    spec = run_with(make_spec(tmp_path, "ddot", 1 << 22, threads=2), run_s=20.0)
    found = perform(EvaluationTask(spec, Kernel(find_problem("ddot").seed_source("ddot_naive.c"))))
    assert (found.outcome, found.detail) == (Outcome.OK, "")


def test_inputs_can_be_brought_into_a_cache_before_the_clock_starts(tmp_path: Path) -> None:
    context = EvaluationContext(timed_with(make_spec(tmp_path), cache="L2", cache_bytes=1 << 19))
    try:
        process = context.timer.baseline_process
        assert context.timer.baseline_case(0, process).timed * 4 * 8 * 48**2 <= 1 << 20
        found = evaluate(context, Kernel(naive()))
    finally:
        context.close()
    assert found.outcome is Outcome.OK, found.detail
