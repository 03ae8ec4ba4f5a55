"""Loops transformed by each transformation, and kernels of a problem without a template that result from several."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest

from qdkernel.core import Kernel, Outcome
from qdkernel.evaluators.pipeline import EvaluationContext, EvaluationTask, perform, verify_only
from qdkernel.mutators.schedule import TEMPLATES, ScheduleMutator, tunables
from qdkernel.mutators.schedule.loops.nest import loops_of
from qdkernel.mutators.schedule.loops.transformations import TRANSFORMATIONS
from qdkernel.problems import find_problem
from tests.conftest import make_spec
from tests.mutators.briefs import brief, elite

PRODUCT = """\
/* A matrix and a vector. */
void product(int m, int n, const double *restrict A, const double *restrict x, double *restrict y)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            y[i] += A[i * n + j] * x[j];
}
"""
ROWS = """\
void rows(int m, int n, const double *restrict A, const double *restrict x, double *restrict y)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            y[i * n + j] *= 2;
            for (int k = 0; k < n; k++)
                y[i * n + j] += A[i * n + k] * x[k * n + j];
            y[i * n + j] += 1;
        }
}
"""
SUM = """\
double sum(int n, const double *restrict x)
{
    double total = 0;
    for (int i = 0; i < n; i++)
        total += x[i];
    return total;
}
"""
CHAINED = (
    "void f(int n, double *x) { for (int i = 1; i < n; i++) for (int j = 1; j < n; j++) x[i * n + j] += x[i * n - n]; }"
)


def transformed(source: str, name: str, at: int = 0) -> str | None:
    loops = loops_of(source)
    (transformation,) = [each for each in TRANSFORMATIONS if each.__name__ == name]
    made = transformation(source, loops[at], loops, np.random.default_rng(1))
    return None if made is None else made.source


def test_an_independent_loop_is_shared_by_threads() -> None:
    made = transformed(PRODUCT, "parallelize")
    assert made is not None
    assert "{\n#pragma omp parallel for schedule(static)\n    for (int i = 0; i < m; i++)\n" in made
    assert transformed(made, "parallelize", 1) is None


def test_a_sum_is_vectorized_with_a_reduction() -> None:
    made = transformed(SUM, "vectorize")
    assert made is not None
    assert "\n#pragma omp simd reduction(+ : total)\n    for (int i = 0; i < n; i++)\n        total += x[i];\n" in made


def test_an_innermost_loop_is_unrolled() -> None:
    made = transformed(PRODUCT, "unroll", 1)
    assert made is not None
    assert "#pragma GCC unroll 4\n        for (int j = 0; j < n; j++)\n" in made
    assert transformed(PRODUCT, "unroll", 0) is None


def test_loops_change_places() -> None:
    made = transformed(PRODUCT, "interchange")
    assert made == PRODUCT.replace(
        "    for (int i = 0; i < m; i++)\n        for (int j = 0; j < n; j++)\n",
        "    for (int j = 0; j < n; j++)\n        for (int i = 0; i < m; i++)\n",
    )


def test_a_tile_is_a_tunable_constant() -> None:
    made = transformed(PRODUCT, "tile")
    assert made is not None
    assert [constant.name for constant in tunables(made)] == ["TILE_J"]
    assert (
        "    for (int j_tile = 0; j_tile < n; j_tile += TILE_J)\n"
        "        for (int i = 0; i < m; i++)\n"
        "            for (int j = j_tile; j < (n - j_tile < TILE_J ? n : j_tile + TILE_J); j++)\n"
    ) in made


def test_iterations_are_jammed_and_the_rest_follows() -> None:
    made = transformed(PRODUCT, "unroll_and_jam")
    assert made is not None
    assert "x[j];\n            y[(i + 1)] += A[(i + 1) * n + j] * x[j];\n" in made
    assert "\n    for (int i = m / 2 * 2; i < m; i++)\n" in made


def test_a_loop_goes_outside_and_leaves_the_other_statements_behind() -> None:
    made = transformed(ROWS, "distribute", 1)
    assert made is not None
    assert (
        made[made.index("    for") :]
        == """\
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++)
            y[i * n + j] *= 2;
        for (int k = 0; k < n; k++)
            for (int j = 0; j < n; j++)
                y[i * n + j] += A[i * n + k] * x[k * n + j];
        for (int j = 0; j < n; j++)
            y[i * n + j] += 1;
    }
}
"""
    )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("y[i * n + j] *= 2;", "double old = y[i * n + j];"),
        ("k < n", "k < j"),
        ("x[k * n + j];\n", "x[k * n + j] * y[i * n + j - 1];\n"),
        ("            for (int k", "#pragma GCC unroll 4\n            for (int k"),
    ],
    ids=["declares what others use", "bounds depend on it", "reads its neighbor's result", "pragma"],
)
def test_a_loop_that_cannot_go_outside_stays(old: str, new: str) -> None:
    assert old in ROWS
    assert transformed(ROWS.replace(old, new), "distribute", 1) is None


def test_what_becomes_of_a_body_behind_a_comment_is_put_in_braces() -> None:
    made = transformed(ROWS.replace("i++)", "i++) // rows"), "distribute", 1)
    assert made is not None
    assert "    for (int i = 0; i < m; i++) // rows\n        {\n            for (int j" in made


def test_comments_alone_get_no_loop() -> None:
    made = transformed(ROWS.replace("y[i * n + j] *= 2;", "/* all of them */"), "distribute", 1)
    assert made is not None
    assert "    for (int i = 0; i < m; i++) {\n        /* all of them */\n        for (int k = 0" in made


def test_a_variable_becomes_an_array_where_a_loop_is_shared_by_the_iterations_of_a_tile() -> None:
    made = transformed(
        PRODUCT.replace("i++)\n", "i++) {\n" + "        const double scale = 2;\n        double sum = 0;\n")
        .replace("y[i] +=", "sum += scale *")
        .replace("x[j];\n", "x[j];\n        y[i] = sum;\n    }\n"),
        "expand",
    )
    assert made is not None
    assert [constant.name for constant in tunables(made)] == ["TILE_I"]
    assert (
        made[made.index("    for") :]
        == """\
    for (int i_tile = 0; i_tile < m; i_tile += TILE_I) {
        const int i_end = m - i_tile < TILE_I ? m : i_tile + TILE_I;
        double scales[TILE_I];
        double sums[TILE_I];
        for (int i = i_tile; i < i_end; i++) {
            scales[i - i_tile] = 2;
            sums[i - i_tile] = 0;
        }
        for (int j = 0; j < n; j++)
            for (int i = i_tile; i < i_end; i++)
                sums[i - i_tile] += scales[i - i_tile] * A[i * n + j] * x[j];
        for (int i = i_tile; i < i_end; i++)
            y[i] = sums[i - i_tile];
    }
}
"""
    )


@pytest.mark.parametrize(
    "declared",
    ["double sum = 0, more = 1;", "double sum[2] = {0, 0};", "const double *sum = A;", "double sum;"],
    ids=["two", "array", "pointer", "no first value"],
)
def test_other_variables_than_numbers_with_a_first_value_become_no_arrays(declared: str) -> None:
    assert transformed(ROWS.replace("y[i * n + j] *= 2;", declared), "expand", 1) is None
    assert transformed(ROWS.replace("y[i * n + j] *= 2;", "double sum = 0;"), "expand", 1) is not None


@pytest.mark.parametrize("name", ["parallelize", "interchange", "tile", "unroll_and_jam"])
def test_a_loop_that_depends_on_its_own_results_stays_as_it_is(name: str) -> None:
    assert transformed(CHAINED.replace("- n]", "+ j - n - 1]"), name) is None


@pytest.mark.parametrize(("name", "problem", "at"), [("distribute", "mm2", 1), ("expand", "gramschmidt", 3)])
def test_a_kernel_whose_statements_went_into_loops_of_their_own_is_verified(
    name: str, problem: str, at: int, tmp_path: Path
) -> None:
    made = transformed(find_problem(problem).seed_source(f"{problem}_naive.c"), name, at)
    assert made is not None
    with contextlib.closing(EvaluationContext(make_spec(tmp_path, problem, 33))) as context:
        assert verify_only(context, Kernel(made), tmp_path)[0]


def test_kernels_that_transformations_made_of_a_naive_one_are_verified(tmp_path: Path) -> None:
    problem = find_problem("gemver")
    assert problem.name not in TEMPLATES
    spec, rng = make_spec(tmp_path, problem.name, 33, threads=2), np.random.default_rng(3)
    parent, made = elite(problem.seed_source("gemver_naive.c")), []
    for _ in range(5):
        proposal = ScheduleMutator().propose(brief(problem.name, parent=parent), rng)
        assert proposal is not None
        assert proposal.parents == (parent.kernel.id,)
        parent = elite(proposal.kernel.source)
        made.append(proposal)
    for proposal in made[1::3]:
        evaluation = perform(EvaluationTask(spec, Kernel(proposal.kernel.source)))
        assert (evaluation.outcome, evaluation.detail) == (Outcome.OK, ""), proposal.kernel.source
