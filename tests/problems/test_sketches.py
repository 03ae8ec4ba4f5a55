"""Sketches pass honest results with room to spare and catch wrong ones."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from qdkernel.core import Array
from qdkernel.problems import PROBLEMS, find_problem
from tests.problems.oracles import honest, honest_gemm, honest_jacobi

Sizes = list[tuple[str, dict[str, int], str]]
GEMM_SIZES: Sizes = [
    (name, dict(zip("mnk", size, strict=True)), family)
    for name, size, family in itertools.product(
        ("dgemm", "sgemm"),
        ((1, 1, 1), (33, 70, 19), (256, 300, 280), (512, 512, 512), (5, 2111, 40), (40, 7, 1500)),
        ("uniform", "integers", "graded", "cancellation"),
    )
]
JACOBI_SIZES: Sizes = [
    ("jacobi2d", {"n": n, "t": t}, family)
    for (n, t), family in itertools.product(((1, 1), (17, 3), (64, 4), (700, 4), (301, 7)), ("uniform", "graded"))
]
STENCIL_SIZES: Sizes = [
    ("stencil3d7", dict(zip(("nx", "ny", "nz"), grid, strict=True)), family)
    for grid, family in itertools.product(((1, 1, 1), (5, 70, 3), (64, 64, 64), (300, 7, 40)), ("uniform", "graded"))
]
AXPY_SIZES: Sizes = [("daxpy", {"n": n}, family) for n in (1, 1000, 300_001) for family in ("uniform", "graded")]


@pytest.mark.parametrize(("name", "size", "family"), GEMM_SIZES + JACOBI_SIZES + STENCIL_SIZES + AXPY_SIZES)
def test_the_sketch_passes_honest_results_with_room_to_spare(name: str, size: dict[str, int], family: str) -> None:
    problem, rng = PROBLEMS[name], np.random.default_rng(11)
    case = problem.scored_case(size)
    arrays = problem.make_inputs(family, case, rng)
    secret = problem.sketch(case, arrays, rng)
    assert problem.sketch_error(case, arrays | honest(problem, case, arrays), secret, problem.error_limit) < 0.25


@pytest.mark.parametrize("name", ["dgemm", "sgemm"])
@pytest.mark.parametrize(("alpha", "beta"), [(0.7, 1.3), (0.0, 1.0), (0.0, 0.0), (-1.0, 0.0)])
@pytest.mark.parametrize("size", [(40, 50, 30), (40, 50, 0), (0, 5, 5), (5, 0, 5)])
def test_the_gemm_sketch_follows_the_scalars(name: str, alpha: float, beta: float, size: tuple[int, int, int]) -> None:
    problem, rng = PROBLEMS[name], np.random.default_rng(11)
    case = {**problem.scored_case(dict(zip("mnk", size, strict=True))), "alpha": alpha, "beta": beta}
    arrays = problem.make_inputs("uniform", case, rng)
    secret = problem.sketch(case, arrays, rng)
    assert problem.sketch_error(case, arrays | honest(problem, case, arrays), secret, problem.error_limit) < 0.25


@pytest.mark.parametrize("name", ["dgemm", "sgemm"])
def test_the_sketch_catches_strassens_algorithm_on_rows_of_one_magnitude(name: str) -> None:
    problem, rng = PROBLEMS[name], np.random.default_rng(14)
    case = problem.scored_case(problem.size_from_int(320))
    for _ in range(5):
        arrays = problem.make_inputs("uniform", case, rng)
        secret = problem.sketch(case, arrays, rng)
        scale = 2.0 ** np.floor(np.log2(np.abs(arrays["A"]).max(axis=1, keepdims=True))).astype(arrays["A"].dtype)
        result = scale * strassen(arrays["A"] / scale, arrays["B"])
        assert problem.sketch_error(case, arrays | {"C": result}, secret, problem.error_limit) > 2


def strassen(a: Array, b: Array) -> Array:
    """One level of Strassen's algorithm, square and even."""
    (a11, a12), (a21, a22) = (np.split(half, 2, axis=1) for half in np.split(a, 2))
    (b11, b12), (b21, b22) = (np.split(half, 2, axis=1) for half in np.split(b, 2))
    m1, m2, m3 = (a11 + a22) @ (b11 + b22), (a21 + a22) @ b11, a11 @ (b12 - b22)
    m4, m5 = a22 @ (b21 - b11), (a11 + a12) @ b22
    m6, m7 = (a21 - a11) @ (b11 + b12), (a12 - a22) @ (b21 + b22)
    result: Array = np.block([[m1 + m4 - m5 + m7, m3 + m5], [m2 + m4, m1 - m2 + m3 + m6]])
    return result


def test_the_sketches_catch_lower_precision() -> None:
    rng = np.random.default_rng(14)
    for name, lower, ratio in (("dgemm", np.float32, 1e6), ("sgemm", np.float16, 5)):
        problem = PROBLEMS[name]
        case = problem.scored_case(problem.size_from_int(300))
        arrays = problem.make_inputs("uniform", case, rng)
        secret = problem.sketch(case, arrays, rng)
        rounded = [arrays[x].astype(lower).astype(np.float32) for x in "AB"]
        result = (rounded[0] @ rounded[1]).astype(problem.dtype)
        assert problem.sketch_error(case, arrays | {"C": result}, secret, problem.error_limit) > ratio
    jacobi = find_problem("jacobi2d")
    case = jacobi.scored_case({"n": 300, "t": 4})
    arrays = jacobi.make_inputs("uniform", case, rng)
    secret = jacobi.sketch(case, arrays, rng)
    assert jacobi.sketch_error(case, arrays | honest_jacobi(case, arrays, np.float32), secret, jacobi.error_limit) > 100


def test_the_gemm_sketch_sees_one_element_off_by_a_billionth() -> None:
    problem, rng = find_problem("dgemm"), np.random.default_rng(15)
    case = problem.scored_case(problem.size_from_int(1024))
    arrays = problem.make_inputs("uniform", case, rng)
    secret = problem.sketch(case, arrays, rng)
    result = honest_gemm(problem, case, arrays)
    row, column = np.unravel_index(np.argmax(np.abs(result)), result.shape)
    result[row, column] *= 1 + 1e-9
    assert problem.sketch_error(case, arrays | {"C": result}, secret, problem.error_limit) > 1


def test_a_forged_checksum_in_one_element_per_row_does_not_pass() -> None:
    problem, rng = find_problem("dgemm"), np.random.default_rng(16)
    case = problem.scored_case(problem.size_from_int(200))
    arrays = problem.make_inputs("uniform", case, rng)
    secret = problem.sketch(case, arrays, rng)
    forged = np.zeros((200, 200))
    forged[:, 0] = arrays["A"] @ arrays["B"].sum(axis=1)  # right row sums, hence the right total
    assert problem.sketch_error(case, arrays | {"C": forged}, secret, problem.error_limit) > 1e6


def test_the_jacobi_sketch_sees_a_changed_boundary() -> None:
    problem, rng = find_problem("jacobi2d"), np.random.default_rng(17)
    case = problem.scored_case({"n": 40, "t": 4})
    arrays = problem.make_inputs("uniform", case, rng)
    secret = problem.sketch(case, arrays, rng)
    results = honest_jacobi(case, arrays)
    results["v"][0, 7] += 1e-12
    assert problem.sketch_error(case, results, secret, problem.error_limit) == math.inf


@pytest.mark.parametrize("name", PROBLEMS)
def test_sketches_draw_the_same_amount_from_the_generator_each_time(name: str) -> None:
    problem = PROBLEMS[name]
    case = problem.scored_case(problem.size_from_int(21))
    states = []
    for _ in range(2):
        rng = np.random.default_rng(18)
        problem.sketch(case, problem.make_inputs("uniform", case, rng), rng)
        states.append(rng.bit_generator.state)
    assert states[0] == states[1]


def test_the_stencil_sketch_sees_one_point_off_by_a_billionth_and_a_rounded_plane() -> None:
    problem, rng = find_problem("stencil3d7"), np.random.default_rng(16)
    case = problem.scored_case(problem.size_from_int(120))
    arrays = problem.make_inputs("uniform", case, rng)
    secret = problem.sketch(case, arrays, rng)
    result = honest(problem, case, arrays)["v"]
    off = result.copy()
    off[17, 60, 90] += 1e-9
    assert problem.sketch_error(case, arrays | {"v": off}, secret, problem.error_limit) > 10
    rounded = result.astype(np.float32).astype(np.float64)
    assert problem.sketch_error(case, arrays | {"v": rounded}, secret, problem.error_limit) > 1e5


def test_the_axpy_sketch_sees_one_element_off_by_four_units() -> None:
    problem, rng = find_problem("daxpy"), np.random.default_rng(17)
    case = problem.scored_case({"n": 100_003})
    arrays = problem.make_inputs("uniform", case, rng)
    secret = problem.sketch(case, arrays, rng)
    result = honest(problem, case, arrays)["y"]
    magnitude = abs(case["alpha"] * arrays["x"]) + abs(arrays["y"])
    result[99_999] += 5 * np.finfo(np.float64).eps * magnitude[99_999]
    assert problem.sketch_error(case, arrays | {"y": result}, secret, problem.error_limit) > 1
