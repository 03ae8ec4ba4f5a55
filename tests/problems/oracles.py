"""What the tests of problems judge with: the evaluator's error rule, drawn cases, honest results by numpy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from qdkernel.core import Array, Case, Expected, Problem

HAND_WRITTEN = ("dgemm", "sgemm", "jacobi2d", "stencil3d7", "daxpy")
"""Problems with numpy oracles below; those that are only declared are tested in ``test_library``."""


def error_ratio(result: Array, expected: Expected, eps: float) -> float:
    """The evaluator's rule: NaN and infinities by class, 0 demands equality, infinity leaves it unspecified."""
    checked = np.isfinite(expected.magnitude) & np.isfinite(expected.value)
    special = ~np.isfinite(expected.value) & ~np.isinf(expected.magnitude)
    if not np.array_equal(result[special], expected.value[special].astype(result.dtype), equal_nan=True):
        return math.inf
    difference = np.abs(result[checked].astype(np.longdouble) - expected.value[checked])
    if np.isnan(difference).any():
        return math.inf
    allowed = eps * expected.magnitude[checked]
    ratio = np.divide(difference, allowed, out=np.full(difference.shape, np.inf, np.longdouble), where=allowed > 0)
    return float(np.where(difference == 0, 0, ratio).max(initial=0))


def worst(problem: Problem, results: dict[str, Array], expected: dict[str, Expected]) -> float:
    dtypes = {argument.name: problem.dtype_of(argument) for argument in problem.arrays}
    eps = {name: float(np.finfo(dtype).eps) if dtype.kind == "f" else 0.0 for name, dtype in dtypes.items()}
    return max(error_ratio(results[name], expected[name], eps[name]) for name in expected)


def drawn_cases(problem: Problem) -> list[tuple[Case, str, dict[str, Array]]]:
    rng = np.random.default_rng(2026)
    return [(case, family, problem.make_inputs(family, case, rng)) for case, family in problem.verify_cases(rng)]


def honest_gemm(problem: Problem, case: Case, arrays: dict[str, Array]) -> Array:
    alpha, beta = problem.dtype.type(case["alpha"]), problem.dtype.type(case["beta"])
    result = np.zeros_like(arrays["C"])
    with np.errstate(all="ignore"):
        _add_gemm(case, arrays, alpha, beta, result)
    return result


def _add_gemm(case: Case, arrays: dict[str, Array], alpha: Any, beta: Any, result: Array) -> None:
    if alpha != 0 and case["k"] > 0:
        result += alpha * (arrays["A"] @ arrays["B"])
    if beta != 0:
        result += beta * arrays["C"]


def honest_jacobi(case: Case, arrays: dict[str, Array], dtype: Any = np.float64) -> dict[str, Array]:
    grids = [arrays["u"].astype(dtype), arrays["v"].astype(dtype)]
    for step in range(int(case["t"])):
        f, to = grids[step % 2], grids[1 - step % 2]
        to[1:-1, 1:-1] = dtype(0.2) * (f[1:-1, 1:-1] + f[:-2, 1:-1] + f[2:, 1:-1] + f[1:-1, :-2] + f[1:-1, 2:])
    result = {"u": grids[0].astype(np.float64), "v": grids[1].astype(np.float64)}
    for name in result:  # a cheat in lower precision would still leave the boundary alone
        for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
            result[name][edge] = arrays[name][edge]
    return result


def honest_stencil(case: Case, arrays: dict[str, Array]) -> dict[str, Array]:
    u = arrays["u"]
    around = u[1:-1, 1:-1, :-2] + u[1:-1, 1:-1, 2:] + u[1:-1, :-2, 1:-1] + u[1:-1, 2:, 1:-1]
    around = around + u[:-2, 1:-1, 1:-1] + u[2:, 1:-1, 1:-1]
    return {"v": case["c0"] * u[1:-1, 1:-1, 1:-1] + case["c1"] * around}


def honest_daxpy(case: Case, arrays: dict[str, Array]) -> dict[str, Array]:
    return {"y": arrays["y"] if case["alpha"] == 0 else case["alpha"] * arrays["x"] + arrays["y"]}


def honest(problem: Problem, case: Case, arrays: dict[str, Array]) -> dict[str, Array]:
    honest_of = {"jacobi2d": honest_jacobi, "stencil3d7": honest_stencil, "daxpy": honest_daxpy}
    if problem.name in honest_of:
        return honest_of[problem.name](case, arrays)
    return {"C": honest_gemm(problem, case, arrays)}
