"""Each input family of a matrix multiply shows what it is for."""

from __future__ import annotations

import numpy as np
import pytest

from qdkernel.core import Array
from qdkernel.errors import ConfigError
from qdkernel.problems import PROBLEMS, find_problem
from tests.problems.oracles import worst

NAMES = ("dgemm", "sgemm")


def drawn(name: str, family: str, m: int = 24, n: int = 20, k: int = 28, beta: float = 0.0) -> tuple[dict, dict]:  # type: ignore[type-arg]
    problem = PROBLEMS[name]
    case = {**problem.scored_case({"m": m, "n": n, "k": k}), "beta": beta}
    return case, problem.make_inputs(family, case, np.random.default_rng(5))


def strassen(a: Array, b: Array) -> Array:
    """One level of Strassen's algorithm (1969)."""
    (p, q, r, s), (t, u, v, w) = quarters(a), quarters(b)
    m1, m2, m3 = (p + s) @ (t + w), (r + s) @ t, p @ (u - w)
    m4, m5, m6, m7 = s @ (v - t), (p + q) @ w, (r - p) @ (t + u), (q - s) @ (v + w)
    return np.block([[m1 + m4 - m5 + m7, m3 + m5], [m2 + m4, m1 - m2 + m3 + m6]])


def quarters(x: Array) -> tuple[Array, Array, Array, Array]:
    i, j = x.shape[0] // 2, x.shape[1] // 2
    return x[:i, :j], x[:i, j:], x[i:, :j], x[i:, j:]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("family", ["uniform", "graded"])
def test_strassen_is_outside_the_bound_of_the_reference_and_of_the_sketch(name: str, family: str) -> None:
    problem = PROBLEMS[name]
    case, arrays = drawn(name, family, 64, 64, 64)
    result = strassen(arrays["A"], arrays["B"])
    assert worst(problem, {"C": result}, problem.reference(case, arrays)) > problem.error_limit
    secret = problem.sketch(case, arrays, np.random.default_rng(1))
    assert problem.sketch_error(case, arrays | {"C": result}, secret, problem.error_limit) > 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("family", ["uniform", "integers", "graded", "cancellation", "subnormal", "special"])
def test_strassen_is_within_the_normwise_bound_and_a_quarter_of_the_digits_is_not(name: str, family: str) -> None:
    problem = find_problem(name, "normwise")
    case = problem.scored_case({"m": 64, "n": 64, "k": 64})
    arrays = problem.make_inputs(family, case, np.random.default_rng(5))
    a, b, expected = arrays["A"], arrays["B"], problem.reference(case, arrays)
    assert worst(problem, {"C": strassen(a, b)}, expected) < problem.error_limit / 4
    bits = np.finfo(problem.dtype).nmant // 4
    a, b = (np.ldexp(np.rint(np.ldexp(x, shift := bits - np.frexp(x.max())[1])), -shift) for x in (a, b))
    assert worst(problem, {"C": strassen(a, b)}, expected) > problem.error_limit


@pytest.mark.parametrize("name", NAMES)
def test_strassen_passes_the_normwise_sketch_and_a_wrong_element_does_not(name: str) -> None:
    problem = find_problem(name, "normwise")
    case = problem.scored_case({"m": 64, "n": 64, "k": 64})
    arrays = problem.make_inputs("uniform", case, np.random.default_rng(5))
    result = strassen(arrays["A"], arrays["B"])
    secret = problem.sketch(case, arrays, np.random.default_rng(1))
    assert problem.sketch_error(case, arrays | {"C": result}, secret, problem.error_limit) < 0.5
    result[3, 7] *= 1 + 1e5 * np.finfo(problem.dtype).eps
    assert problem.sketch_error(case, arrays | {"C": result}, secret, problem.error_limit) > 1


def test_only_what_knows_a_looser_rule_can_be_judged_by_it() -> None:
    with pytest.raises(ConfigError, match="accuracy: expected componentwise for jacobi2d, got 'normwise'"):
        find_problem("jacobi2d", "normwise")
    least = find_problem("dgemm", "normwise").least_flops
    assert least is not None
    assert least({"m": 128, "n": 64, "k": 300}) == 2 * 128 * 64 * 300 * 7 / 8  # one level: 64 to 32
    assert least({"m": 0, "n": 5, "k": 7}) == 0


def test_integers_do_not_survive_a_product_of_two_floats() -> None:
    _, arrays = drawn("dgemm", "integers", k=2)
    a, b = arrays["A"], arrays["B"]
    high_a, high_b = a.astype(np.float32).astype(float), b.astype(np.float32).astype(float)
    split = high_a @ high_b + high_a @ (b - high_b) + (a - high_a) @ high_b
    assert np.any(split != a @ b)


@pytest.mark.parametrize("name", NAMES)
def test_subnormal_inputs_and_products_are_both_there(name: str) -> None:
    _, arrays = drawn(name, "subnormal", beta=1.0)
    tiny = np.finfo(PROBLEMS[name].dtype).tiny
    a, product = np.abs(arrays["A"]), np.abs(arrays["A"] @ arrays["B"])
    assert np.any((a > 0) & (a < tiny))
    assert np.any((product > 0) & (product < tiny))
    assert np.any(product > tiny)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("flushed", ["inputs", "results"])
def test_flushing_subnormals_is_outside_the_bound(name: str, flushed: str) -> None:
    problem = PROBLEMS[name]
    case, arrays = drawn(name, "subnormal")
    tiny = np.finfo(problem.dtype).tiny
    a, b = (np.where(np.abs(arrays[x]) < tiny, 0, arrays[x]) if flushed == "inputs" else arrays[x] for x in "AB")
    result = a @ b
    if flushed == "results":
        result[np.abs(result) < tiny] = 0
    assert worst(problem, {"C": result}, problem.reference(case, arrays)) > problem.error_limit


def test_special_inputs_leave_most_results_finite_and_meet_zeros() -> None:
    case, arrays = drawn("dgemm", "special")
    value = PROBLEMS["dgemm"].reference(case, arrays)["C"].value
    assert np.isfinite(value).mean() > 0.3
    assert np.isnan(value).any()
    assert np.isinf(value).any()
    spoilt = ~np.isfinite(arrays["B"]).all(axis=1)
    assert np.all(arrays["A"][0, spoilt] == 0)


@pytest.mark.parametrize("name", NAMES)
def test_arithmetic_that_is_less_accurate_throughout_shows_in_the_sketch_s_row(name: str) -> None:
    problem = PROBLEMS[name]
    case, arrays = drawn(name, "uniform", 40, 40, 40)
    exact = problem.reference(case, arrays)["C"]
    secret = problem.sketch(case, arrays, np.random.default_rng(1))
    unit = np.finfo(problem.dtype).eps * exact.magnitude
    result = (exact.value + 40 * unit * np.random.default_rng(2).choice((-1, 1), unit.shape)).astype(problem.dtype)
    assert problem.sketch_error(case, arrays | {"C": result}, secret, problem.error_limit) > 1
