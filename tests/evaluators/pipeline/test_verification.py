"""The judge of the verification step: right by error, by class, or not at all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from qdkernel.core import Array
from qdkernel.evaluators.pipeline.verification import VerificationSuite
from qdkernel.problems import PROBLEMS
from tests.problems.oracles import HAND_WRITTEN, honest


@pytest.fixture(params=HAND_WRITTEN)
def suite(request: pytest.FixtureRequest) -> Iterator[VerificationSuite]:
    made = VerificationSuite(PROBLEMS[request.param], np.random.default_rng(4))
    yield made
    made.close()


@pytest.fixture
def dgemm() -> Iterator[VerificationSuite]:
    made = VerificationSuite(PROBLEMS["dgemm"], np.random.default_rng(4))
    fill_in(made)
    yield made
    made.close()


def fill_in(suite: VerificationSuite) -> None:
    """Does what an honest kernel would do."""
    suite.reset()
    with np.errstate(all="ignore"):
        for call in suite.layout.calls:
            views = {placed.argument.name: view(suite, placed) for placed in call.arrays}
            for name, result in honest(suite.problem, call.case, views).items():
                views[name][...] = result


def view(suite: VerificationSuite, placed: object) -> Array:
    file = suite.inputs if placed.region == 0 else suite.outputs  # type: ignore[attr-defined]
    return suite.layout.view(file, placed)  # type: ignore[arg-type]


def results(suite: VerificationSuite) -> list[Array]:
    """C of every call."""
    return [view(suite, call.arrays[-1]) for call in suite.layout.calls]


def test_honest_results_of_every_case_are_right(suite: VerificationSuite) -> None:
    fill_in(suite)
    verdict = suite.judge()
    assert verdict.complaint is None
    assert 0 < verdict.error_ratio < 8


def test_doing_nothing_is_wrong(suite: VerificationSuite) -> None:
    suite.reset()
    assert suite.judge().complaint is not None


def some_element(suite: VerificationSuite, wanted: object) -> tuple[Array, tuple[int, ...]]:
    """A result and the index of an element in it for which ``wanted`` holds."""
    for result in results(suite):
        found = np.argwhere(wanted(result))  # type: ignore[operator]
        if found.size:
            return result, tuple(map(int, found[len(found) // 2]))
    raise AssertionError("no case has such an element")


def subnormal(values: Array) -> Array:
    tiny = np.finfo(values.dtype).tiny
    found: Array = (values != 0) & (np.abs(values) < tiny)
    return found


def positive_infinity(values: Array) -> Array:
    found: Array = values == np.inf
    return found


def ordinary(values: Array) -> Array:
    found: Array = np.isfinite(values) & (np.abs(values) > 1e-3) & (values != np.rint(values))
    return found


@pytest.mark.parametrize(
    ("wanted", "wrong", "said"),
    [
        (np.isnan, 0.0, "is 0 and should be nan"),
        (np.isnan, np.inf, "is inf and should be nan"),
        (positive_infinity, -np.inf, "is -inf and should be inf"),
        (positive_infinity, 1e308, "should be inf"),
        (positive_infinity, np.nan, "is nan and should be inf"),
        (subnormal, 0.0, "is 0 and should be "),
        (ordinary, np.nan, "is nan and should be "),
        (ordinary, np.inf, "is inf and should be "),
    ],
)
def test_a_result_of_another_class_is_wrong(dgemm: VerificationSuite, wanted: object, wrong: float, said: str) -> None:
    result, at = some_element(dgemm, wanted)
    result[at] = wrong
    complaint = dgemm.judge().complaint
    assert complaint is not None
    assert said in complaint


def test_an_error_within_the_bound_is_right_and_one_beyond_is_wrong(dgemm: VerificationSuite) -> None:
    result, at = some_element(dgemm, ordinary)
    exact = result[at]
    result[at] = exact * (1 + 2**-52)
    assert dgemm.judge().complaint is None
    result[at] = exact * (1 + 1e-9)
    complaint = dgemm.judge().complaint
    assert complaint is not None
    assert f"C[{at[0]}, {at[1]}] is" in complaint


def test_the_cases_of_a_multiply_hold_every_family_at_every_placing() -> None:
    problem = PROBLEMS["dgemm"]
    families = [family for _, family in problem.verify_cases(np.random.default_rng(1))]
    for family in ("uniform", "integers", "graded"):
        assert {index % 3 for index, each in enumerate(families) if each == family} == {0, 1, 2}
    assert {"cancellation", "subnormal", "special"} <= set(families)
