"""What every problem must satisfy: a new one is done when a subclass of ``ProblemConformance`` passes for it."""

from __future__ import annotations

import ctypes
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qdkernel.core import (
    Array,
    ArrayArgument,
    Arrays,
    Case,
    Expected,
    Kernel,
    Kind,
    Problem,
    Scalar,
    check_prototype,
    prototype_header,
)
from qdkernel.evaluators.pipeline import EvaluationContext, verify_only
from qdkernel.evaluators.registration import JudgedResults, rounded
from tests.conftest import make_spec
from tests.problems.oracles import drawn_cases, worst
from tests.problems.seed_runner import Guarded

SIZE = 48
"""Of scored calls: ``size_from_int(SIZE)``."""


def differ(first: dict[str, Expected], second: dict[str, Expected]) -> bool:
    """Whether two references differ in an element that is specified."""
    return any(
        bool(np.any((first[name].value != second[name].value) & np.isfinite(first[name].magnitude))) for name in first
    )


def is_wrong(result: Array, expected: Expected, limit: float) -> Array:
    """Where a result is farther from the reference than rounding explains."""
    exact = result.dtype.kind != "f"
    with np.errstate(invalid="ignore"):
        allowed = 0.0 if exact else limit * np.finfo(result.dtype).eps * expected.magnitude
        close = np.abs(result - expected.value) <= allowed
        same = (result == expected.value) | (np.isnan(result) & np.isnan(expected.value))
    wrong: Array = ~(close | same | np.isinf(expected.magnitude))
    return wrong


class ProblemConformance:
    """Tests of one problem, which a subclass or its module gives as the fixture ``problem``."""

    @pytest.fixture
    def results(self, problem: Problem) -> Iterator[JudgedResults]:
        made = JudgedResults(problem, np.random.default_rng(4))
        for index, right in enumerate(made.right):
            made.write(index, right)
        yield made
        made.suite.close()

    def test_the_arguments_agree_with_the_prototype(self, problem: Problem) -> None:
        assert check_prototype(problem).name == problem.name
        assert {a.name for a in problem.arguments} == set(problem.scored_case(problem.size_from_int(SIZE))) | {
            a.name for a in problem.arrays
        }
        assert set(problem.size_names) <= {a.name for a in problem.arguments if isinstance(a, Scalar)}

    def test_every_input_family_is_drawn(self, problem: Problem) -> None:
        assert "uniform" in problem.families  # of the timed calls
        drawn = {family for _, family in problem.verify_cases(np.random.default_rng(1))}
        assert drawn == set(problem.families)

    def test_the_counts_of_a_scored_call_are_positive_and_the_default_sizes_complete(self, problem: Problem) -> None:
        for size in problem.default_sizes(8 << 20):
            assert set(size) == set(problem.size_names)
            case = problem.scored_case(size)
            assert problem.flops(case) > 0
            assert problem.bytes(case) >= problem.least_bytes(case) > 0

    def test_every_seed_passes_in_the_contained_child(self, problem: Problem, tmp_path: Path) -> None:
        context = EvaluationContext(make_spec(tmp_path, problem.name, SIZE))
        try:
            for seed in problem.seeds:
                (tmp_path / seed).mkdir()
                made, complaint = verify_only(context, Kernel(problem.seed_source(seed)), tmp_path / seed)
                assert made is not None, f"{seed}: {complaint}"
        finally:
            context.close()

    def test_results_depend_on_every_input(self, problem: Problem) -> None:
        cases = [(case, family, arrays) for case, family, arrays in drawn_cases(problem) if family == "uniform"]
        rng = np.random.default_rng(99)
        for argument in problem.arrays:
            if argument.is_read:
                assert any(
                    differ(
                        problem.reference(case, arrays),
                        problem.reference(
                            case, arrays | {argument.name: problem.make_inputs(family, case, rng)[argument.name]}
                        ),
                    )
                    for case, family, arrays in cases
                ), argument.name
        for parameter in check_prototype(problem).parameters:
            if parameter.kind in (Kind.FLOAT32, Kind.FLOAT64):
                assert any(
                    differ(
                        problem.reference(case, arrays),
                        problem.reference({**case, parameter.name: 1.5 * case[parameter.name] + 0.25}, arrays),
                    )
                    for case, _, arrays in cases
                    if case[parameter.name] != 0
                ), parameter.name

    def test_right_results_pass_and_untouched_zero_and_constant_ones_fail(self, results: JudgedResults) -> None:
        assert results.suite.judge().complaint is None
        results.suite.reset()
        assert results.suite.judge().complaint is not None
        for value in (0, 1):
            for index, right in enumerate(results.right):
                results.write(index, {name: np.full_like(array, value) for name, array in right.items()})
            assert results.suite.judge().complaint is not None

    def test_results_of_earlier_inputs_fail(self, results: JudgedResults) -> None:
        problem, rng = results.problem, np.random.default_rng(5)
        for index, call in enumerate(results.suite.layout.calls):
            other = problem.make_inputs("uniform", call.case, rng)
            results.write(index, rounded(problem.reference(call.case, other), other, problem))
        assert results.suite.judge().complaint is not None

    def test_a_kernel_that_skips_the_last_element_fails_in_every_case(self, results: JudgedResults) -> None:
        skipped = 0
        for index, (right, before) in enumerate(zip(results.right, results.before, strict=True)):
            expected = results.problem.reference(results.suite.layout.calls[index].case, before)
            for name, array in right.items():
                shows = np.argwhere(np.atleast_1d(is_wrong(before[name], expected[name], results.problem.error_limit)))
                if len(shows):
                    last = tuple(shows[-1]) if array.ndim else ()
                    wrong = array.copy()
                    wrong[last] = before[name][last]
                    results.write(index, right | {name: wrong})
                    assert results.suite.judge().complaint is not None, results.suite.describe_case(index)
                    skipped += 1
            results.write(index, right)
        assert skipped >= len(results.right) // 2

    def test_the_reference_agrees_with_the_naive_seed_in_extended_precision(
        self, problem: Problem, tmp_path: Path
    ) -> None:
        kernel = in_extended_precision(problem, tmp_path)
        for case, _, arrays in drawn_cases(problem):
            with np.errstate(invalid="ignore", over="ignore"):
                ratio = worst(problem, call(kernel, problem, case, arrays), problem.reference(case, arrays))
            assert ratio < 0.5, case

    def test_the_sketch_accepts_honest_results(self, problem: Problem) -> None:
        for size in (1, 7, SIZE, 2 * SIZE + 1):
            case, arrays, secret, right = sketched(problem, size)
            assert problem.sketch_error(case, arrays | right, secret, problem.error_limit) < 0.5

    def test_the_sketch_rejects_a_single_wrong_element(self, problem: Problem) -> None:
        case, arrays, secret, right = sketched(problem, SIZE)
        expected = problem.reference(case, arrays)
        for name, result in right.items():
            specified = np.argwhere(np.atleast_1d(np.isfinite(expected[name].magnitude) & (result != 0)))
            for at in specified[:: max(1, len(specified) // 5)]:
                for damaged in damages(np.atleast_1d(result)[tuple(at)], np.abs(result).max()):
                    wrong = result.copy()
                    wrong[tuple(at) if result.ndim else ()] = damaged
                    error = problem.sketch_error(case, arrays | right | {name: wrong}, secret, problem.error_limit)
                    assert error > 1, (name, tuple(at), damaged)

    def test_the_sketch_rejects_untouched_zero_and_earlier_results(self, problem: Problem) -> None:
        case, arrays, secret, right = sketched(problem, SIZE)
        untouched = {name: np.full_like(array, -1) for name, array in right.items()} | arrays
        _, earlier, _, stale = sketched(problem, SIZE, seed=14)
        zero = {name: np.zeros_like(array) for name, array in right.items()}
        for wrong in (untouched, arrays | zero, arrays | {name: earlier.get(name, stale[name]) for name in stale}):
            assert problem.sketch_error(case, wrong, secret, problem.error_limit) > 1
        assert problem.sketch_error(case, arrays | stale, secret, problem.error_limit) > 1


def sketched(problem: Problem, size: int, seed: int = 13) -> tuple[Case, dict[str, Array], Any, dict[str, Array]]:
    """(case, inputs, sketch, right results) of a scored call."""
    rng = np.random.default_rng(seed)
    case = problem.scored_case(problem.size_from_int(size))
    arrays = problem.make_inputs("uniform", case, rng)
    secret = problem.sketch(case, arrays, rng)
    return case, arrays, secret, rounded(problem.reference(case, arrays), arrays, problem)


def damages(right: Any, largest: Any) -> list[Any]:
    """Wrong values of one element."""
    if np.issubdtype(type(right), np.integer):
        return [right + 1]
    return [right + 1e-2 * largest, -right, np.nan, np.inf]


def in_extended_precision(problem: Problem, folder: Path) -> ctypes.CDLL:
    """The naive seed compiled with ``long double`` in place of the problem's floating-point types."""
    source = f"{prototype_header(problem)}{problem.seed_source(problem.seeds[0])}"
    (folder / "wide.c").write_text(re.sub(r"\b(double|float)\b", "long double", source))
    command = ["gcc", "-O1", "-fPIC", "-shared", "wide.c", "-o", "wide.so"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(folder / "wide.so"))


_TYPES: dict[Kind, Any] = {
    Kind.INT32: ctypes.c_int32,
    Kind.INT64: ctypes.c_int64,
    Kind.FLOAT32: ctypes.c_longdouble,
    Kind.FLOAT64: ctypes.c_longdouble,
}


def call(library: ctypes.CDLL, problem: Problem, case: Case, arrays: Arrays) -> dict[str, Array]:
    """What the naive seed in extended precision leaves in the written arrays."""
    guarded: dict[str, Guarded] = {}
    values: list[Any] = []
    for argument, parameter in zip(problem.arguments, check_prototype(problem).parameters, strict=True):
        if isinstance(argument, ArrayArgument):
            dtype = problem.dtype_of(argument)
            start = arrays.get(argument.name, np.zeros(argument.shape(case), dtype))
            wide = start.astype(np.longdouble) if dtype.kind == "f" else start
            guarded[argument.name] = Guarded(wide, argument.strides_of(case), not argument.is_written)
            values.append(ctypes.c_void_p(guarded[argument.name].address))
        else:
            number = case[argument.name]
            exact = problem.dtype.type(number) if parameter.kind in (Kind.FLOAT32, Kind.FLOAT64) else number
            values.append(_TYPES[parameter.kind](exact))
    getattr(library, problem.name)(*values)
    return {a.name: guarded[a.name].result() for a in problem.arrays if a.is_written}
