"""The problems: declarations, cases and references."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from qdkernel.core import KernelBaseline, Problem
from qdkernel.errors import UnknownName
from qdkernel.problems import PROBLEMS, find_problem, problem_label
from tests.problems.oracles import drawn_cases, honest_gemm, worst


def test_an_unknown_problem_names_the_known_ones() -> None:
    with pytest.raises(UnknownName, match=r"no problem 'dgemmm'; did you mean 'dgemm'\? \(known: .*stencil3d7"):
        find_problem("dgemmm")


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("dgemm", "dgemm"),
        ("examples/row-dots.v2/", "row-dots.v2"),
        ("\x00", "_"),
        ("a\n\u202e b", "a___b"),
        ("x" * 300, "x" * 64),
    ],
)
def test_a_label_of_a_problem_may_be_in_any_file_name(name: str, label: str) -> None:
    assert problem_label(name) == label


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=lambda p: p.name)
def test_every_file_a_problem_names_exists_and_every_seed_file_is_named(problem: Problem) -> None:
    baseline = problem.baseline
    files = {*problem.seeds, baseline.file if isinstance(baseline, KernelBaseline) else baseline.adapter}
    assert files == {path.name for path in problem.folder.glob(f"{problem.name}_*.c")} | set(problem.texts)
    assert problem.seeds[0] == f"{problem.name}_naive.c"


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=lambda p: p.name)
def test_inputs_have_the_declared_shapes_dtype_and_room_for_padding(problem: Problem) -> None:
    for case, _, arrays in drawn_cases(problem):
        read = [argument for argument in problem.arrays if argument.is_read]
        assert list(arrays) == [argument.name for argument in read]
        for argument in problem.arrays:
            shape, strides = argument.shape(case), argument.strides_of(case)
            assert len(shape) == len(strides)
            assert all(abs(stride) >= math.prod(shape[i + 1 :]) for i, stride in enumerate(strides) if 0 not in shape)
        for argument in read:
            values = arrays[argument.name]
            assert (values.shape, values.dtype) == (argument.shape(case), problem.dtype_of(argument))


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=lambda p: p.name)
def test_the_same_generator_state_gives_the_same_cases_and_inputs(problem: Problem) -> None:
    for first, second in zip(drawn_cases(problem), drawn_cases(problem), strict=True):
        assert first[:2] == second[:2]
        for name in first[2]:
            np.testing.assert_array_equal(first[2][name], second[2][name])


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=lambda p: p.name)
def test_an_unknown_family_is_refused_by_name(problem: Problem) -> None:
    case = problem.scored_case(problem.size_from_int(4))
    with pytest.raises(UnknownName, match=rf"no input family of {problem.name} 'unifrom'; did you mean 'uniform'\?"):
        problem.make_inputs("unifrom", case, np.random.default_rng(0))


def test_single_precision_moves_half_of_the_bytes() -> None:
    for double in (problem for name, problem in PROBLEMS.items() if name.startswith("d")):
        single = PROBLEMS.get("s" + double.name[1:])
        if single and all(double.dtype_of(argument).kind == "f" for argument in double.arrays):
            case = double.scored_case(double.size_from_int(48))
            assert 2 * single.bytes(case) == double.bytes(case), double.name


@pytest.mark.parametrize("name", ["dgemm", "sgemm"])
def test_gemm_cases_cover_the_scalars_and_stay_small(name: str) -> None:
    cases = [case for case, _ in PROBLEMS[name].verify_cases(np.random.default_rng(5))]
    assert {case["alpha"] for case in cases} == {0.0, 1.0, -1.0, 0.7}
    assert {case["beta"] for case in cases} == {0.0, 1.0, 1.3}
    assert sum(case["m"] * case["n"] for case in cases) < 70_000
    assert any(case["m"] == 0 for case in cases)
    assert any(case["lda"] > case["k"] and case["ldc"] > case["n"] for case in cases)


def test_counts_follow_the_conventions_of_the_field() -> None:
    gemm, jacobi = find_problem("sgemm"), find_problem("jacobi2d")
    case = {"m": 2, "n": 3, "k": 5, "beta": 0.0}
    assert (gemm.flops(case), gemm.bytes(case), gemm.least_bytes(case)) == (60, 4 * 31, 4 * 31)
    assert gemm.bytes({**case, "beta": 1.0}) == 4 * 37
    grid = {"n": 10, "t": 4}
    assert (jacobi.flops(grid), jacobi.bytes(grid), jacobi.least_bytes(grid)) == (2000, 6400, 1600)
    stencil, axpy = find_problem("stencil3d7"), find_problem("daxpy")
    box = {"nx": 2, "ny": 3, "nz": 5}
    assert (stencil.flops(box), stencil.bytes(box), stencil.least_bytes(box)) == (240, 480, 480)
    assert (axpy.flops({"n": 7}), axpy.bytes({"n": 7}), axpy.least_bytes({"n": 7})) == (14, 168, 168)


@pytest.mark.parametrize("cache", [1 << 20, 32 << 20, 1 << 30])
def test_the_scored_data_is_beyond_the_cache_within_the_memory_cap(cache: int) -> None:
    (grid,) = find_problem("jacobi2d").default_sizes(cache)
    (box,) = find_problem("stencil3d7").default_sizes(cache)
    (vector,) = find_problem("daxpy").default_sizes(cache)
    assert (grid["n"] % 64, box["nx"] % 16, vector["n"] % (1 << 16)) == (0, 0, 0)
    assert box["nx"] == box["ny"] == box["nz"]
    least = min(4 * cache, 440e6)  # a step of 16 in the edge of a large cube is a sixth of its volume
    for num_bytes in (16 * (grid["n"] + 2) ** 2, 8 * ((box["nx"] + 2) ** 3 + box["nx"] ** 3), 16 * vector["n"]):
        assert least <= num_bytes <= 600e6


@pytest.mark.parametrize("name", ["dgemm", "sgemm"])
def test_the_gemm_reference_agrees_with_numpy_on_every_case(name: str) -> None:
    problem = PROBLEMS[name]
    for case, _, arrays in drawn_cases(problem):
        result = honest_gemm(problem, case, arrays)
        assert worst(problem, {"C": result}, problem.reference(case, arrays)) < problem.error_limit


@pytest.mark.parametrize("name", ["dgemm", "sgemm"])
def test_integer_inputs_demand_the_exact_result_and_others_do_not(name: str) -> None:
    problem = PROBLEMS[name]
    for case, family, arrays in drawn_cases(problem):
        magnitude = problem.reference(case, arrays)["C"].magnitude
        if family == "integers":
            assert not magnitude.any()
        elif magnitude.size and family != "special" and case["alpha"] != 0 and case["k"] > 0:
            assert magnitude.all()


@pytest.mark.parametrize(("name", "lower"), [("dgemm", np.float32), ("sgemm", np.float16)])
@pytest.mark.parametrize("family", ["uniform", "integers", "graded"])
def test_lower_precision_is_outside_the_bound(name: str, lower: Any, family: str) -> None:
    problem = PROBLEMS[name]
    case = problem.scored_case({"m": 24, "n": 20, "k": 28})
    arrays = problem.make_inputs(family, case, np.random.default_rng(3))
    scale = problem.dtype.type(1 if lower is np.float32 else 2.0**-8)  # half precision overflows early
    a, b = ((arrays[name] * scale).astype(lower) for name in "AB")
    result = (a @ b).astype(problem.dtype) / scale**2
    assert worst(problem, {"C": result}, problem.reference(case, arrays)) > problem.error_limit


def test_the_jacobi_reference_keeps_boundaries_and_leaves_scratch_unspecified() -> None:
    problem = find_problem("jacobi2d")
    case = {"n": 3, "t": 1, "ld": 5}
    arrays = problem.make_inputs("uniform", case, np.random.default_rng(1))
    expected = problem.reference(case, arrays)
    u = arrays["u"]
    centre = (u[2, 2] + u[1, 2] + u[3, 2] + u[2, 1] + u[2, 3]) / 5
    assert float(expected["v"].value[2, 2]) == pytest.approx(centre, rel=1e-14)
    assert np.isinf(expected["u"].magnitude[1:-1, 1:-1]).all()
    assert not expected["u"].magnitude[0].any()
    np.testing.assert_array_equal(expected["v"].value[0].astype(float), u[0])
