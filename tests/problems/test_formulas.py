"""Shapes and scalars of problems as expressions."""

from __future__ import annotations

from math import log2, sqrt

import pytest

from qdkernel.problems import PROBLEMS, find_problem, formulas_of


@pytest.mark.parametrize("name", sorted(PROBLEMS))
def test_the_formulas_of_a_problem_give_its_shapes_and_scalars(name: str) -> None:
    problem = find_problem(name)
    formulas = formulas_of(problem)
    case = problem.scored_case(problem.size_from_int(16))
    names: dict[str, object] = dict(case)
    functions = {"log2": log2, "sqrt": sqrt}
    for scalar, text in formulas.scalars.items():
        assert eval(text, functions, names) == case[scalar]
    for argument in problem.arrays:
        extents = tuple(int(eval(text, functions, names)) for text in formulas.extents[argument.name])
        assert extents == argument.shape(case)
        if argument.index_bound is not None:
            assert eval(formulas.bounds[argument.name], functions, names) == argument.index_bound(case)
