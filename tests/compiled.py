"""Kernels compiled for tests the way the evaluator compiles them, but by a plain compiler: they are never run."""

from __future__ import annotations

import subprocess
from pathlib import Path

from qdkernel.problems import find_problem

FLAGS = (
    "-O3 -fopenmp -fPIC -fno-plt -fno-ident -fno-asynchronous-unwind-tables -fno-stack-protector "
    "-ffunction-sections -fdata-sections -w"
)
AVX512 = "-march=x86-64-v4 -mprefer-vector-width=512"
AVX2 = "-march=x86-64-v3"
LINK = "-shared --gc-sections --no-undefined-version -z noexecstack -z relro -z now --version-script=export.map"


def compile_c(source: str, folder: Path, problem: str = "dgemm", target: str = AVX512) -> Path:
    """The shared object of a source; the problem's prototype is included by force.

    The target does not depend on the machine, so that what a test expects of the code does not either.
    """
    return compile_prototype(source, folder, find_problem(problem).prototype, problem, target)


def compile_prototype(source: str, folder: Path, prototype: str, function: str, target: str = AVX512) -> Path:
    """The same for a function that belongs to no registered problem."""
    (folder / "kernel.c").write_text(source, encoding="utf-8")
    (folder / "prototype.h").write_text(f"#include <stddef.h>\n{prototype.rstrip().rstrip(';')};\n")
    (folder / "export.map").write_text(f"{{ global: {function}; local: *; }};\n")
    _run(f"gcc {FLAGS} {target} -include prototype.h -c kernel.c -o kernel.o", folder)
    _run(f"ld {LINK} -o kernel.so kernel.o", folder)
    return folder / "kernel.so"


def _run(command: str, folder: Path) -> None:
    done = subprocess.run(command.split(), cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


HEAD = """void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda,
           const double *restrict B, int ldb, double beta, double *restrict C, int ldc)"""
"""The head of a dgemm kernel; its body follows."""


def dgemm(body: str, before: str = "") -> str:
    """A source that defines dgemm with a body."""
    return f"{before}\n{HEAD}\n{{\n{body}\n}}\n"
