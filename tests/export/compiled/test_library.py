"""``export --to library``: built with CMake, linked, preloaded, and tested as a BLAS."""

from __future__ import annotations

import ctypes
import os
import re
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from qdkernel.errors import ConfigError
from qdkernel.export import FORMATS, Selection, open_source
from tests.export.compiled.conftest import Installed, of_level
from tests.export.compiled.made_runs import Elite, made_run, naive_run
from tests.fake_runs import MACHINE
from tests.paths import ROOT

pytestmark = [pytest.mark.slow]
UNCHECKED = Selection(unchecked=True)

PROGRAM = """
#include <qdkernel.h>
#include <stdio.h>

int main(void)
{
    double A[] = {1, 2, 3, 4}, B[] = {5, 6, 7, 8}, C[4];
    dgemm(2, 2, 2, 1.0, A, 2, B, 2, 0.0, C, 2);
    printf("%g %g %g %g", C[0], C[1], C[2], C[3]);
    return 0;
}
"""
NUMPY = """
import numpy as np
a, b = np.random.default_rng(0).random((2, 50, 50))
for left, right in ((a, b), (a.T, b), (a, b.T), (a.T, b.T), (np.asfortranarray(a), b[:, ::2])):
    np.testing.assert_allclose(left @ right, np.einsum("ij,jk->ik", left, right), rtol=1e-12)
np.testing.assert_allclose(a @ a.T, np.einsum("ij,kj->ik", a, a), rtol=1e-12)
np.testing.assert_allclose(np.dot(a[:, 0], b[0]), (a[:, 0] * b[0]).sum(), rtol=1e-12)
"""


BUSY_HOST = {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"}  # threads that spin wait long for a core


def run(*command: object, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, cwd=ROOT,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.mark.skipif(shutil.which("pkg-config") is None, reason="needs pkg-config")
def test_a_c_program_links_through_pkg_config(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text(PROGRAM)
    asked = run("pkg-config", "--cflags", "--libs", "qdkernel", PKG_CONFIG_PATH=f"{installed.prefix}/lib/pkgconfig")
    run("gcc", tmp_path / "main.c", "-o", tmp_path / "main", *shlex.split(asked.stdout))
    assert run(tmp_path / "main", LD_LIBRARY_PATH=f"{installed.prefix}/lib").stdout == "19 22 43 50"


def test_a_cmake_project_finds_the_package(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text(PROGRAM)
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16)\nproject(uses C)\nfind_package(qdkernel REQUIRED)\n"
        "add_executable(uses main.c)\ntarget_link_libraries(uses qdkernel::qdkernel)\n"
    )
    run("cmake", "-S", tmp_path, "-B", tmp_path / "build", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={installed.prefix}")
    run("cmake", "--build", tmp_path / "build")
    assert run(tmp_path / "build" / "uses").stdout == "19 22 43 50"


def test_the_blas_symbols_agree_with_numpy_over_all_arguments(installed: Installed) -> None:
    done = run(
        sys.executable, "-W", "error", "-m", "tests.export.compiled.blas_program", installed.library, **BUSY_HOST
    )
    calls = dict(part.split("=") for part in done.stdout.split())
    assert len(calls) == 20
    assert int(calls["gemm"]) == (3 * 6 + 9 * 2) * 3 * 9 * 9  # shapes of all ways, k, alpha and beta, both trans
    assert done.stderr == ""


@pytest.mark.parametrize("isa", ["portable", "sse2"])
def test_numpys_product_runs_an_exported_kernel_when_the_library_is_preloaded(installed: Installed, isa: str) -> None:
    done = run(sys.executable, "-c", NUMPY, LD_PRELOAD=str(installed.library), QDKERNEL_VERBOSE="1", QDKERNEL_ISA=isa)
    kernel = (
        "the naive kernel dgemm_naive.c" if isa == "portable" else "kernel [0-9a-f]{12}, none/128/serial/none, of run"
    )
    assert re.search(f"qdkernel: dgemm runs {kernel}", done.stderr)
    assert "qdkernel: dsyrk runs" in done.stderr
    assert "qdkernel: ddot runs" in done.stderr


@pytest.mark.isa("avx2", "fma")
def test_a_call_runs_the_kernel_of_the_nearest_size_at_the_level_of_the_cpu(installed: Installed) -> None:
    for extent, isa, cell in ((40, "avx2", "256"), (400, "avx2", "512"), (400, "sse2", "128")):
        code = f"import numpy as np; np.ones(({extent}, {extent})) @ np.ones(({extent}, {extent}))"
        done = run(
            sys.executable, "-c", code, LD_PRELOAD=str(installed.library), QDKERNEL_VERBOSE="1", QDKERNEL_ISA=isa
        )
        assert f", none/{cell}/serial/none, of run" in done.stderr
        assert done.stderr.count("dgemm runs") == 1


@pytest.mark.skipif(shutil.which("qemu-x86_64") is None, reason="needs qemu-user, which emulates other CPUs")
@pytest.mark.parametrize(("cpu", "kernel"), [("Nehalem", "none/128/serial/none"), ("Haswell", "none/256/serial/none")])
def test_another_cpu_runs_a_kernel_of_its_level_and_no_illegal_instruction(
    installed: Installed, cpu: str, kernel: str, tmp_path: Path
) -> None:
    (tmp_path / "main.c").write_text(PROGRAM)
    flags = ["-I", installed.prefix / "include", "-L", installed.library.parent, "-lqdkernel"]
    run("gcc", tmp_path / "main.c", "-o", tmp_path / "main", *flags)
    done = run(
        "qemu-x86_64", "-cpu", cpu, tmp_path / "main",
        LD_LIBRARY_PATH=str(installed.library.parent), QDKERNEL_VERBOSE="1",
    )  # fmt: skip
    assert done.stdout == "19 22 43 50"
    assert kernel in done.stderr


def test_threads_may_call_a_kernel_with_static_memory(installed: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QDKERNEL_ISA", "sse2")
    dgemm = ctypes.CDLL(str(installed.library)).cblas_dgemm64_
    one, none = ctypes.c_double(1.0), ctypes.c_double(0.0)

    def product(factor: int) -> bool:
        n = (60, 200)[factor % 2]  # of the kernel's two sizes
        a, b, c = np.ones((n, n)), np.full((n, n), float(factor)), np.empty((n, n))
        a_, b_, c_ = (ctypes.c_void_p(array.ctypes.data) for array in (a, b, c))
        extents = [ctypes.c_int64(n)] * 3
        dgemm(101, 111, 111, *extents, one, a_, extents[0], b_, extents[0], none, c_, extents[0])
        return bool((c == n * factor).all())

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(product, range(200)))


def test_an_illegal_argument_gets_a_message_and_no_effect(installed: Installed) -> None:
    code = f"""
import ctypes, numpy as np
c, one = np.ones(4), ctypes.c_double(1)
at = ctypes.c_void_p(c.ctypes.data)
ctypes.CDLL("{installed.library}").cblas_dgemm(101, 111, 111, 2, 2, 2, one, at, 1, at, 2, one, at, 2)
assert (c == 1).all()
"""
    said = run(sys.executable, "-c", code).stderr
    assert said == "qdkernel: cblas_dgemm: parameter 9 has an illegal value\n"


def test_the_readme_names_every_kernel_and_what_was_not_checked(installed: Installed) -> None:
    text = (installed.sources / "README.md").read_text()
    assert "The export was made with `--unchecked`: it did not verify the kernels again, and none was called" in text
    assert "| `dgemm` | avx2 | m=48 n=48 k=48 | kernel " in text
    assert (
        "| `strsm` | portable | any | the naive kernel strsm\\_naive.c | not called far beyond the scored sizes |"
        in text
    )


def test_a_problem_of_the_user_has_its_function_and_no_blas_symbols(tmp_path: Path) -> None:
    folder = tmp_path / "daxpy"
    folder.mkdir()
    own = ROOT / "qdkernel" / "problems" / "library" / "blas1" / "daxpy"
    for file in own.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    path = naive_run(tmp_path / "runs", str(folder))
    with open_source([path], UNCHECKED) as source:
        written = FORMATS["library"].write(source, tmp_path / "out")
    names = {str(path.relative_to(tmp_path / "out")) for path in written}
    assert {"src/daxpy.c", "kernels/daxpy_portable.c", "include/qdkernel.h"} < names
    assert not [name for name in names if "blas" in name]


@pytest.mark.parametrize(
    ("machine", "only", "message"),
    [
        ({"machine": {**MACHINE["machine"], "arch": "aarch64"}}, None, "expected a run on x86-64"),
        ({}, "all", "export --to library writes elites; --only all does not go with it"),
        (
            {"compiler": {"command": "gcc", "version": "gcc 12", "flags": ["-O3", '-DA="\n)']}},
            None,
            "names what would run uncontained: compiler.flags",
        ),
    ],
)
def test_what_cannot_become_a_library_is_told(
    machine: dict[str, object], only: str | None, message: str, tmp_path: Path
) -> None:
    path = made_run(tmp_path, "dgemm", [Elite("void dgemm(void) {}", {48: 1.0}, "none/scalar/serial/none")], **machine)
    with (
        open_source([path], Selection(only=only, unchecked=True)) as source,  # type: ignore[arg-type]
        pytest.raises(ConfigError, match=message),
    ):
        FORMATS["library"].write(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_name_of_a_run_cannot_leave_a_comment_or_a_string(tmp_path: Path) -> None:
    path = made_run(
        tmp_path, "dgemm", [Elite("void dgemm(void);", {48: 1.0}, "none/scalar/serial/none")], **of_level("sse2")
    )
    odd = path.rename(path.with_name('x" evil;'))
    with open_source([odd], UNCHECKED) as source:
        FORMATS["library"].write(source, tmp_path / "out")
    assert all('x" evil' not in file.read_text() for file in (tmp_path / "out").rglob("*.[ch]"))
