"""What a run is refused for before it starts: by ``config check`` and ``evolve`` alike, with exit code 1."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands.command_line import run
from tests.evolving import BUSY, as_arguments
from tests.paths import CASES

CONFIGS = CASES / "configs"
REFUSED = {
    "huge": "sizes[0]: the arrays of the timed calls up to m=100000 n=100000 k=100000 take",
    "huge_int": "sizes[0]: m = 3000000000 does not fit into the int of dgemm",
    "big_k": "sizes[0]: k = 2147483648 does not fit into the int of dgemm",
    "missing_k": "sizes[0]: expected the dimensions m, n, k of dgemm, got m, n",
    "upper": "got M, N, K",
    "jacobi_m": "expected the dimensions n, t of jacobi2d, got m, n, k",
    "flags_lto": "it passes without -flto: remove that from compiler.flags",
    "flags_noomp": "expected -fopenmp among -O3 -march=native",
    "baseline_symbol": "the baseline libm.so.6 does not compute dgemm",
}


def refused(*arguments: str, **environment: str) -> str:
    """The messages of a command that must refuse."""
    done = run(*arguments, **environment)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("name", REFUSED)
def test_config_check_refuses_what_evolve_would_refuse(name: str, tmp_path: Path) -> None:
    file = str(CONFIGS / f"{name}.yaml")
    assert REFUSED[name] in refused("config", "check", file)
    assert REFUSED[name] in refused("evolve", file, "--out", str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


TINY = str(CONFIGS / "tiny.yaml")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("compiler.flags=[-O3, -march=native, -mfma4, -mavx512er, -fopenmp]", "-mfma4, -mavx512er makes code for"),
        ("compiler.flags=[-O3, -march=no-such-cpu, -fopenmp]", "does not take -march=no-such-cpu"),
        ("compiler.flags=[-O3, -fopenmp, -fsanitize=address]", "it passes without -fsanitize=address"),
        ("sizes=[{m: 1, n: 1, k: 2147483647}]", "GiB of memory are free"),
        ("sizes=[8000]", "at this machine's peak already, and limits.run_s is 0.5 s"),
    ],
)
def test_a_setting_with_which_no_kernel_could_pass_is_named(setting: str, reason: str) -> None:
    if "2147483647" in setting and os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") > 64 << 30:
        pytest.skip("this host may have the memory")
    limits = ["--set", "limits.run_s=0.5"] if "8000" in setting else []
    assert reason in refused("config", "check", TINY, "--set", setting, *limits)


def test_a_temporary_folder_without_execution_is_named(tmp_path: Path) -> None:
    script = f"mount -t tmpfs -o noexec none {tmp_path} && TMPDIR={tmp_path} exec {sys.executable} -m qdkernel"
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", f"{script} config check {TINY}"]
    trial = [*command[:4], "sh", "-c", f"mount -t tmpfs -o noexec none {tmp_path}"]
    if subprocess.run(trial, capture_output=True).returncode != 0:
        pytest.skip("this host does not let users mount")
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1, done.stderr
    assert "set TMPDIR to one that does" in done.stderr


@pytest.mark.slow
def test_a_run_whose_own_seed_fails_stops_with_exit_code_1(tmp_path: Path) -> None:
    # The seed takes over a second at this size; the baseline, also with one thread, a tenth of that.
    late = ("sizes=[{m: 2400, n: 2400, k: 700}]", "limits.run_s=0.45", "budget.evaluations=50")
    quick = (*BUSY, "timing.budget_s=0.02", "evaluators.backend=serial")
    done = run("evolve", TINY, "--out", str(tmp_path / "run"), *as_arguments((*late, *quick)))
    assert done.returncode == 1, done.stderr
    assert "the seed dgemm_naive.c ended as timeout" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_wide_intrinsics_on_a_machine_without_them_are_one_line() -> None:
    file = str(CASES / "kernels" / "g02_mm_malloc_avx512.c")
    done = run("check", file, "--problem", "dgemm", "--set", "sizes=[48]", QDKERNEL_ISA="avx2")
    assert done.returncode == 1
    assert (
        "compile_error\nerror: line 10: _mm512_setzero_pd needs 512-bit vectors, which this machine lacks"
        in done.stdout
    )
    assert done.stdout.count("error:") == 1
