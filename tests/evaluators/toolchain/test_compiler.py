"""The assembly at -O0 by which published work groups kernels: what it tells apart, and that it may be missing."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from qdkernel.evaluators.pipeline import EvaluationContext
from qdkernel.evaluators.toolchain import CompileError, CompileLimits, assembly_hash
from qdkernel.evaluators.toolchain.compiler import Confined
from qdkernel.evaluators.toolchain.toolchain import UNOPTIMISED_FLAGS
from qdkernel.machine import CoreLock
from tests.compiled import HEAD

pytestmark = pytest.mark.isa_dependent

SOURCE = f"""static const double table[4] = {{1.0, 2.0, 3.5, 4.25}};
static double twice(double x) {{ static double memo[2] = {{0.25, 0.75}}; return x * table[2] + memo[1]; }}
{HEAD}
{{
#pragma omp parallel for
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {{
            double sum = 0.0, row[4] = {{1, 2, 3, 4}};
            for (int p = 0; p < k; p++)
                sum += A[i * lda + p] * B[p * ldb + j];
            switch (j & 7) {{ case 0: sum += 1.25; break; case 1: sum *= 3; break; case 2: sum -= 7; break;
                              case 3: sum /= 9.5; break; case 5: sum += 1e3; break; case 6: sum -= 77; }}
            C[i * ldc + j] = twice(alpha * sum) + row[j & 3];
        }}
}}
"""
# Some seconds of work for the compiler.
BOMB = "".join(f"#define A{n} A{n - 1} A{n - 1} A{n - 1} A{n - 1} A{n - 1} A{n - 1}\n" for n in range(1, 8))
BOMB = f"#define A0 x++;\n{BOMB}\n{HEAD}\n{{ volatile int x = 0; A7 }}"
Hashed = Callable[..., str | None]


@pytest.fixture
def hashed(context: EvaluationContext, tmp_path: Path) -> Hashed:
    """The hash for a source, compiled in a folder of its own."""
    made = iter(range(1000))

    def of(source: str, limits: CompileLimits = context.spec.compile.limits) -> str | None:
        folder = tmp_path / f"folder {next(made)}"
        folder.mkdir()
        context.compile(source, folder)
        return assembly_hash(source, context.toolchain, context.built, folder, limits)

    return of


def test_spelling_and_headers_do_not_show_in_the_assembly(hashed: Hashed) -> None:
    original = hashed(SOURCE)
    assert original is not None
    assert len(original) == 64
    unused = "static inline int none(int a) { static int b; for (int i = 0; i < a; i++) b += i; return b; }\n"
    spellings = {
        "in another folder": SOURCE,
        "comments and blank lines": "/* fast */\n\n" + SOURCE.replace("{\n", "{ // so\n\n"),
        "names of variables": SOURCE.replace("sum", "total").replace("row", "strip"),
        "macros": "#define STEP i++\n" + SOURCE.replace("i++", "STEP"),
        "headers": "#include <math.h>\n#include <omp.h>\n" + SOURCE,
        "a precompiled header": "#include <immintrin.h>\n" + SOURCE,
        "what nobody calls": unused + SOURCE,
    }
    assert {name: hashed(source) for name, source in spellings.items()} == dict.fromkeys(spellings, original)


def test_other_code_and_names_of_functions_show_in_the_assembly(hashed: Hashed) -> None:
    others = [
        SOURCE.replace("i++", "i += 2"),
        SOURCE.replace("4.25", "4.5"),
        SOURCE.replace("parallel for", "parallel for schedule(dynamic)"),
        SOURCE.replace("twice", "double_of"),
    ]
    assert len({hashed(source) for source in [SOURCE, *others]}) == 1 + len(others)


@pytest.mark.parametrize("unoptimised", [False, True])
def test_the_precompiled_header_fits_the_flags_of_kernels(
    unoptimised: bool, context: EvaluationContext, tmp_path: Path
) -> None:
    toolchain, built = context.toolchain, context.built
    header = built.unoptimised_intrinsics if unoptimised else built.intrinsics
    if header is None:
        pytest.skip("no precompiled header on this architecture")
    flags = [*toolchain.flags, *toolchain.code_flags, *(UNOPTIMISED_FLAGS if unoptimised else ())]
    (tmp_path / "kernel.c").write_text("#include <immintrin.h>\n")
    command = [toolchain.command, *flags, "-H", "-include", str(header), "-S", "kernel.c"]
    read = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60).stderr
    assert f"! {header}.gch\n" in read  # x instead of ! says that it does not fit


def test_intrinsics_inlined_at_o0_have_an_assembly(hashed: Hashed) -> None:
    assert hashed(f"#include <immintrin.h>\n{HEAD}\n{{ __m128d x = _mm_setzero_pd(); _mm_storeu_pd(C, x); }}")


@pytest.mark.parametrize(
    "limits",
    [CompileLimits(wall_s=0.001), CompileLimits(memory_mb=8), CompileLimits(file_mb=0)],
    ids=["time", "memory", "file"],
)
def test_without_the_means_there_is_no_assembly_hash(limits: CompileLimits, hashed: Hashed) -> None:
    assert hashed(SOURCE, limits) is None


def test_what_compiles_only_after_inlining_has_no_assembly_hash(hashed: Hashed) -> None:
    fetch = "static inline void fetch(const double *p, const int hint) { __builtin_prefetch(p, 0, hint); }\n"
    assert hashed(f"{fetch}{HEAD}\n{{ fetch(A, 3); }}") is None
    shuffle = "static inline __m128d turn(__m128d x, const int by) { return _mm_shuffle_pd(x, x, by); }\n"
    body = f"{HEAD}\n{{ _mm_storeu_pd(C, turn(_mm_loadu_pd(C), 1)); }}"
    assert hashed(f"#include <immintrin.h>\n{shuffle}{body}") is None


def test_the_compiler_is_stopped_while_a_benchmark_has_the_cores(context: EvaluationContext, tmp_path: Path) -> None:
    seen: list[str] = []

    def compiler() -> psutil.Process | None:
        running = psutil.Process().children()
        return next((each for each in running if each.name() == "sleep"), None)

    def benchmark() -> None:
        while (process := compiler()) is None:
            time.sleep(0.01)
        with CoreLock(tmp_path).exclusive():
            while (status := process.status()) != psutil.STATUS_STOPPED and len(seen) < 1000:
                seen.append(status)
            seen.append(status)
        os.kill(process.pid, signal.SIGKILL)

    folder = tmp_path / "folder"
    folder.mkdir()
    confined = Confined(context.toolchain, context.built, folder, CompileLimits())
    thread = threading.Thread(target=benchmark)
    with CoreLock(tmp_path).shared():
        thread.start()
        with pytest.raises(CompileError, match="SIGKILL"):
            confined.run(["/usr/bin/sleep", "60"])
    thread.join()
    assert seen[-1] == psutil.STATUS_STOPPED


def test_a_stopped_compiler_ends_with_the_process_that_started_it(context: EvaluationContext, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    spelled = pickle.dumps((BOMB, context.problem.name, context.toolchain, context.built, folder, tmp_path))
    code = f"""import pickle
from qdkernel.evaluators.toolchain import CompileLimits, compile_kernel
from qdkernel.machine import CoreLock
from qdkernel.problems import find_problem
source, problem, *rest, locks = pickle.loads({spelled!r})
with CoreLock(locks).shared():
    compile_kernel(source, find_problem(problem), *rest, CompileLimits())
"""
    with subprocess.Popen([sys.executable, "-c", code]) as worker:
        started = psutil.Process(worker.pid)
        passes: list[psutil.Process] = []
        while not (passes := [each for each in started.children(recursive=True) if each.name() == "cc1"]):
            assert worker.poll() is None
            time.sleep(0.01)
        with CoreLock(tmp_path).exclusive():
            while passes[0].status() != psutil.STATUS_STOPPED:
                assert worker.poll() is None
                time.sleep(0.01)
            worker.kill()
    gone, left = psutil.wait_procs(passes, timeout=60)
    assert (gone, left) == (passes, [])
