"""General matrix multiply, C = alpha A B + beta C, row major, in double and in single precision.

The semantics are those of the BLAS (Dongarra et al. 1990, "A set of Level 3 Basic Linear Algebra Subprograms"):
nothing is read or written when m or n is 0; A and B are not read when alpha or k is 0; C is not read, so a NaN in it
vanishes, when beta is 0. Inputs that must not be read are filled with NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from qdkernel.core import ArrayArgument, Case, LibraryBaseline, Problem, Role, Scalar
from qdkernel.problems.gemm.cases import verify_cases
from qdkernel.problems.gemm.inputs import input_families
from qdkernel.problems.gemm.normwise import normwise
from qdkernel.problems.gemm.reference import reference
from qdkernel.problems.gemm.sketch import sketch, sketch_error


def _problem(name: str, c_type: str, dtype: np.dtype[Any]) -> Problem:
    """The GEMM of one precision."""
    problem = Problem(
        name=name,
        summary=f"C = alpha A B + beta C on row-major matrices of {c_type}",
        contract=(
            "with alpha = 0 or k = 0 neither A nor B is read, they may hold NaN: C = beta C; "
            "with beta = 0 C is not read"
        ),
        prototype=(
            f"void {name}(int m, int n, int k, {c_type} alpha, const {c_type} *restrict A, int lda, "
            f"const {c_type} *restrict B, int ldb, {c_type} beta, {c_type} *restrict C, int ldc)"
        ),
        dtype=dtype,
        arguments=(
            Scalar("m"),
            Scalar("n"),
            Scalar("k"),
            Scalar("alpha"),
            ArrayArgument("A", Role.IN, lambda case: (int(case["m"]), int(case["k"])), ("lda", None)),
            Scalar("lda"),
            ArrayArgument("B", Role.IN, lambda case: (int(case["k"]), int(case["n"])), ("ldb", None)),
            Scalar("ldb"),
            Scalar("beta"),
            ArrayArgument("C", Role.INOUT, lambda case: (int(case["m"]), int(case["n"])), ("ldc", None)),
            Scalar("ldc"),
        ),
        size_names=("m", "n", "k"),
        size_from_int=lambda size: {"m": size, "n": size, "k": size},
        scored_case=_scored_case,
        verify_cases=verify_cases,
        families=input_families(dtype),
        reference=reference,
        sketch=lambda case, arrays, rng: sketch(dtype, case, arrays, rng),
        sketch_error=sketch_error,
        flops=lambda case: 2.0 * case["m"] * case["n"] * case["k"],
        bytes=lambda case: float(dtype.itemsize * _streamed_elements(case)),
        least_bytes=lambda case: float(
            dtype.itemsize * (case["m"] * case["k"] + case["k"] * case["n"] + case["m"] * case["n"])
        ),
        folder=Path(__file__).parent / "seeds",
        seeds=(f"{name}_naive.c",),
        baseline=LibraryBaseline(adapter=f"{name}_cblas.c", symbol=f"scipy_cblas_{name}"),
        default_sizes=lambda last_level_cache: [{"m": s, "n": s, "k": s} for s in (512, 1024)],
        nest_depth=3,
    )
    return replace(problem, normwise=normwise(problem))


def _scored_case(size: Mapping[str, int]) -> dict[str, int | float]:
    """The timed call: alpha = 1, beta = 0, rows without padding."""
    m, n, k = size["m"], size["n"], size["k"]
    return {"m": m, "n": n, "k": k, "alpha": 1.0, "lda": max(1, k), "ldb": max(1, n), "beta": 0.0, "ldc": max(1, n)}


def _streamed_elements(case: Case) -> float:
    """Elements moved when every matrix goes through memory once; C is read as well only when beta is not 0."""
    written_and_read = 1 if case["beta"] == 0 else 2
    return case["m"] * case["k"] + case["k"] * case["n"] + written_and_read * case["m"] * case["n"]


DGEMM = _problem("dgemm", "double", np.dtype(np.float64))
SGEMM = _problem("sgemm", "float", np.dtype(np.float32))
