"""Loops transformed by each transformation, and kernels of a problem without a template that result from several."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qdkernel.core import Kernel, Outcome
from qdkernel.evaluators.pipeline import EvaluationTask, perform
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


@pytest.mark.parametrize("name", ["parallelize", "interchange", "tile", "unroll_and_jam"])
def test_a_loop_that_depends_on_its_own_results_stays_as_it_is(name: str) -> None:
    assert transformed(CHAINED.replace("- n]", "+ j - n - 1]"), name) is None


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
