from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from qdkernel.export import FORMATS, Selection, open_source
from qdkernel.problems import find_problem
from tests.export.compiled.made_runs import STATIC, Elite, made_run, naive_run
from tests.fake_runs import MACHINE
from tests.test_loading import STATIC as STATIC_KERNEL

BLAS = (
    *("axpy", "scal", "copy", "swap", "dot", "nrm2", "asum", "rot", "gemv", "ger", "symv", "trmv", "trsv"),
    *("gemm", "symm", "syrk", "syr2k", "trmm", "trsm"),
)
WIDTHS = {"sse2": [128], "avx2": [128, 256], "avx512": [128, 256, 512]}


def of_level(level: str) -> dict[str, object]:
    """What distinguishes the machine of a run whose kernels need a level of the CPU."""
    return {"machine": {**MACHINE["machine"], "simd_widths": WIDTHS[level]}}


@dataclass(frozen=True)
class Installed:
    """A library that was exported, built and installed.

    Attributes:
        prefix: where it is installed.
        sources: the export.
    """

    prefix: Path
    sources: Path

    @property
    def library(self) -> Path:
        return self.prefix / "lib" / "libqdkernel.so"


def build(sources: Path, prefix: Path) -> Installed:
    """Builds an exported library with CMake and installs it."""
    made = sources / "build"
    warnings = "-DCMAKE_C_FLAGS=-Wall -Wextra -Werror"
    for command in (
        ["cmake", "-S", str(sources), "-B", str(made), "-G", "Ninja", warnings],
        ["cmake", "--build", str(made)],
        ["cmake", "--install", str(made), "--prefix", str(prefix)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return Installed(prefix, sources)


@pytest.fixture(scope="session")
def blas_runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A run of every BLAS problem, in both precisions; of dgemm one for each level of the CPU."""
    root = tmp_path_factory.mktemp("blas-runs")
    names = [f"{precision}{routine}" for precision in "ds" for routine in BLAS if routine != "gemm"]
    runs = [naive_run(root, name, **of_level("sse2")) for name in (*names, "idamax", "isamax", "sgemm_trans")]
    naive = find_problem("dgemm").seed_source("dgemm_naive.c")
    small = Elite(f"/* small */\n{naive}", {48: 2.0, 512: 1.0}, "none/256/serial/none")
    large = Elite(f"/* large */\n{naive}", {48: 1.0, 512: 2.0}, "none/512/serial/none")
    runs.append(made_run(root, "dgemm", [small, large], **of_level("avx2")))
    runs.append(
        made_run(
            root,
            "dgemm",
            [Elite(STATIC_KERNEL, {48: 1.0, 512: 1.0}, "none/128/serial/none", STATIC)],
            **of_level("sse2"),
        )
    )
    return runs


@pytest.fixture(scope="session")
def installed(blas_runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The library of ``blas_runs``."""
    root = tmp_path_factory.mktemp("library")
    with open_source(blas_runs, Selection(unchecked=True)) as source:  # 40 problems would take minutes
        FORMATS["library"].write(source, root / "sources")
    return build(root / "sources", root / "installed")
