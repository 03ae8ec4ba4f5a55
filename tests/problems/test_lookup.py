"""Arrays of four dimensions, index arrays, several dtypes and single values by pointer, end to end."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from qdkernel.core import ArrayArgument, Kernel, Outcome, Problem, Role
from qdkernel.evaluators.pipeline import EvaluationContext, evaluate
from qdkernel.problems import PROBLEMS
from tests.conftest import make_spec
from tests.problems.conformance import ProblemConformance
from tests.problems.lookup import LOOKUP


@pytest.fixture
def problem(monkeypatch: pytest.MonkeyPatch) -> Problem:
    monkeypatch.setitem(PROBLEMS, LOOKUP.name, LOOKUP)
    return LOOKUP


class TestLookup(ProblemConformance):
    """Its fixture is the module's."""


@pytest.fixture
def context(problem: Problem, tmp_path: Path) -> Iterator[EvaluationContext]:
    made = EvaluationContext(make_spec(tmp_path, problem.name, 100))
    yield made
    made.close()


def test_the_naive_kernel_is_ok(context: EvaluationContext) -> None:
    found = evaluate(context, Kernel(LOOKUP.seed_source("lookup_naive.c")))
    assert found.outcome is Outcome.OK, found.detail


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("*largest = -1", "*largest = 0", "largest is 0 and should be -1"),
        ("*total += value", "*total += value * (1 + 1e-12)", "total is "),
        ("= value;", "= line ? value : value * 1.000001f;", "picked[0, 0, 0, 0] is "),
        ("at < 3; at++", "at < 3; at += 2", "picked[0, 0, 0, 1] is nan"),
        ("* row + at", "* 3 + at", "picked[0, 0, 1, 0] is "),
        ("    *total = 0;", "    *total = 0; if (n == 0) largest[1] = 7;", "SIGSEGV"),
        ("    *total = 0;", "    *total = 0; if (row == 3) largest[-1] = 7;", "memory beside largest (one value) was"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(before: str, after: str, said: str, context: EvaluationContext) -> None:
    source = LOOKUP.seed_source("lookup_naive.c")
    assert before in source
    found = evaluate(context, Kernel(source.replace(before, after)))
    assert found.outcome in (Outcome.WRONG, Outcome.CRASHED)
    assert said in found.detail


@pytest.mark.parametrize(
    ("damaged", "said"),
    [
        (lambda arrays: {**arrays, "index": arrays["index"] + 1}, "index should hold values from 0 to 7, got 1 to 8"),
        (lambda arrays: {"index": arrays["index"]}, "table should have shape and dtype .*, got None"),
        (
            lambda arrays: {**arrays, "index": arrays["index"].astype(np.int64)},
            r"got \(\(8,\), dtype\('int64'\)\); change the family or the argument",
        ),
    ],
)
def test_inputs_other_than_declared_are_refused(damaged, said: str) -> None:  # type: ignore[no-untyped-def]
    inputs = {"index": np.arange(8, dtype=np.int32), "table": np.zeros((8, 2, 2, 3), np.float32)}
    wrong = dataclasses.replace(LOOKUP, families={"uniform": lambda case, rng: damaged(inputs)})
    with pytest.raises(ValueError, match=said):
        wrong.make_inputs("uniform", LOOKUP.scored_case({"n": 8, "entries": 8}), np.random.default_rng(0))


@pytest.mark.parametrize(
    ("strides", "expected"),
    [
        ((), (60, 20, 5, 1)),
        ((None, None, "ld", None), (84, 28, 7, 1)),
        (("block", None, "ld", None), (100, 28, 7, 1)),
    ],
)
def test_dimensions_without_a_stride_follow_those_inside(
    strides: tuple[str | None, ...], expected: tuple[int, ...]
) -> None:
    argument = ArrayArgument("a", Role.IN, lambda case: (2, 3, 4, 5), strides)
    assert argument.strides_of({"ld": 7, "block": 100}) == expected


def test_a_prompt_describes_the_arguments(problem: Problem) -> None:
    from qdkernel.mutators.llm.prompts.facts import _argument

    assert [_argument(problem, argument) for argument in problem.arrays] == [
        "- index: n, int32, read only, values from 0 to entries - 1",
        "- table: entries x 2 x 2 x 3, read only, rows row elements apart",
        "- picked: n x 2 x 2 x 3, written only, every element",
        "- total: a single value, float64, written only, every element",
        "- largest: a single value, int64, written only, every element",
    ]
    stencil, axpy = PROBLEMS["stencil3d7"], PROBLEMS["daxpy"]
    assert [_argument(stencil, argument) for argument in stencil.arrays] == [
        "- u: (nz + 2) x (ny + 2) x (nx + 2), read only, rows ldu elements apart",
        "- v: nz x ny x nx, written only, every element, rows ldv elements apart",
    ]
    assert [_argument(axpy, argument) for argument in axpy.arrays] == [
        "- x: n, read only, incx elements apart",
        "- y: n, read and written, incy elements apart",
    ]
