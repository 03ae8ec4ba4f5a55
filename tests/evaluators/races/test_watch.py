"""Real kernels under ThreadSanitizer: those that race, those that do not, and those that try to leave the process."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from qdkernel.core import Cell, Kernel, Outcome, Threading, VerificationResult
from qdkernel.evaluators.pipeline import EvaluationContext, RaceChecks
from qdkernel.evaluators.pipeline.builder import EvaluationBuilder
from qdkernel.evaluators.pipeline.evaluate import evaluate
from qdkernel.evaluators.pipeline.races import races_wanted
from qdkernel.evaluators.races import (
    NotWatched,
    RaceExecutable,
    WatchedCalls,
    build_race_runner,
    compile_watched,
    find_race_runtime,
    lacking_race_runtime,
    watch_races,
)
from qdkernel.evaluators.sandbox import BufferAlignment, Layers, Layout, MemoryFile
from qdkernel.evaluators.toolchain import NATIVE, find_toolchain
from tests.compiled import dgemm
from tests.conftest import FLAGS, make_spec

LACKING = lacking_race_runtime(find_toolchain("gcc", FLAGS))
needs_runtime = pytest.mark.skipif(LACKING is not None, reason=str(LACKING))

ROW = """
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int p = 0; alpha != 0 && p < k; p++)
                sum += alpha * A[(long)i * lda + p] * B[(long)p * ldb + j];
            C[(long)i * ldc + j] = sum + (beta == 0 ? 0 : beta * C[(long)i * ldc + j]);
        }"""

RIGHT_BY_LUCK = dgemm(
    f"""
    #pragma omp parallel
    {{
        scratch = alpha; /* all threads write the same */
    #pragma omp for
    {ROW.lstrip()}
        if (scratch != alpha && alpha == alpha) /* some have not written yet */
            C[0] = 0;
    }}""",
    "static double scratch;",
)

WITHOUT_RACES = dgemm(
    f"""
    double norm = 0;
    #pragma omp parallel
    {{
    #pragma omp for schedule(dynamic, 2)
    {ROW.lstrip()}
    #pragma omp single
        for (int i = 0; i < m; i += 4) {{
    #pragma omp task firstprivate(i) depend(out : *(C + (long)i * ldc))
            count += i;
    #pragma omp taskwait
        }}
    #pragma omp critical
        norm += 1;
    #pragma omp barrier
        if (norm < 1)
            C[0] = 0;
    }}""",
    "static int count;",
)


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EvaluationContext]:
    spec = dataclasses.replace(make_spec(tmp_path_factory.mktemp("races"), threads=2), races=RaceChecks.ALWAYS)
    context = EvaluationContext(spec)
    yield context
    context.close()


@needs_runtime
def test_a_race_that_left_right_results_is_an_outcome_with_its_two_lines(watched: EvaluationContext) -> None:
    found = evaluate(watched, Kernel(RIGHT_BY_LUCK))
    assert found.outcome is Outcome.RACE, found.detail
    line = 1 + RIGHT_BY_LUCK[: RIGHT_BY_LUCK.index("scratch = alpha;")].count("\n")
    assert f"line {line} writes 8 bytes while another thread, not ordered with it," in found.detail
    assert f"{line:5} | scratch = alpha; /* all threads write the same */" in found.detail
    assert found.objective is None


@needs_runtime
def test_loops_tasks_and_barriers_without_a_race_pass(watched: EvaluationContext) -> None:
    found = evaluate(watched, Kernel(WITHOUT_RACES))
    assert found.outcome is Outcome.OK, found.detail
    assert re.fullmatch(r"none in \d+ calls with 4 threads, scored sizes included", found.evidence["races"])


def test_only_kernels_with_threads_are_watched_and_by_default_suspected_ones(tmp_path: Path) -> None:
    context = EvaluationContext(make_spec(tmp_path, threads=2))
    builder = EvaluationBuilder(Kernel(WITHOUT_RACES))
    static, serial = Cell(0, 0, Threading.STATIC, 0), Cell(0, 0, Threading.SERIAL, 0)
    builder.verification = VerificationResult(1.0, 16.0, "componentwise", 63, deterministic=True)
    assert not races_wanted(context, builder, static)
    builder.verification = dataclasses.replace(builder.verification, deterministic=False)
    assert races_wanted(context, builder, static)
    assert not races_wanted(context, builder, serial)
    context.spec = dataclasses.replace(context.spec, races=RaceChecks.NEVER)
    assert not races_wanted(context, builder, static)
    context.close()


@needs_runtime
@pytest.mark.parametrize(
    "attempt",
    ["start_process", "open_socket", "read_file", "write_file", "signal_parent", "executable_memory", "outlive_parent"],
)
def test_what_a_watched_kernel_may_not_do_is_refused(attempt: str, watched: EvaluationContext, tmp_path: Path) -> None:
    source = (NATIVE / "hostile" / f"{attempt}.c").read_text(encoding="utf-8")
    assert -200 < run_once(watched, source, tmp_path) < 0  # minus the number of the error


@needs_runtime
def test_an_endless_kernel_and_one_that_takes_memory_are_stopped(watched: EvaluationContext, tmp_path: Path) -> None:
    with pytest.raises(NotWatched, match=r"not done after 1 s"):
        run_once(watched, dgemm("for (volatile int x = 1; x;) ;"), tmp_path, timeout_s=1)
    takes = dgemm(
        "for (long at = 0; at < 1l << 33; at += 4096) taken[at] = 1; C[0] = taken[5];", "static char taken[1l << 33];"
    )
    with pytest.raises(NotWatched, match=r"more than \d+ MiB of memory"):
        run_once(watched, takes, tmp_path, memory_mb=256)


def run_once(
    context: EvaluationContext, source: str, folder: Path, timeout_s: float = 20, memory_mb: int = 1024
) -> float:
    """C[0] after one watched call of a kernel that passes no policy."""
    runtime = find_race_runtime()
    assert runtime is not None
    context.compile(source, folder)
    executable = RaceExecutable(
        build_race_runner(context.toolchain, context.problem, runtime),
        runtime,
        compile_watched(folder, source, context.toolchain, context.built, context.spec.compile.limits),
        "dgemm",
        threads=2,
        layers=Layers.ALL,
    )
    case = {"m": 4, "n": 4, "k": 4, "alpha": 1.0, "lda": 4, "ldb": 4, "beta": 0.0, "ldc": 4}
    layout = Layout(context.problem, [(case, BufferAlignment.FRONT)])
    inputs, outputs = MemoryFile("inputs", layout.input_bytes), MemoryFile("outputs", layout.output_bytes)
    try:
        calls = WatchedCalls(layout, 1, inputs, outputs, timeout_s, memory_mb)
        assert watch_races(executable, calls) is None
        return float(layout.elements(outputs, layout.calls[0].arrays[-1])[0])
    finally:
        inputs.close()
        outputs.close()
