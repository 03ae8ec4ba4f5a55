"""The three ways of asking."""

from __future__ import annotations

import re

import pytest

from qdkernel.config import load_study
from qdkernel.core import parse_prototype
from qdkernel.problems import find_problem
from qdkernel.study import prompt
from tests.paths import CONFIGS

ROUTINES = [*load_study(CONFIGS / "blas-study.yaml").problems, "dgemm"]
SINGLE = [re.sub(r"^(i?)d", r"\1s", name) for name in ROUTINES]


@pytest.mark.parametrize("name", [*ROUTINES, *SINGLE])
def test_a_routine_of_the_blas_has_a_reference_text_with_its_name_and_parameters(name: str) -> None:
    problem = find_problem(name)
    [message] = prompt(problem, "reference")
    head = re.search(r"SUBROUTINE (\w+)\((.*)\)", message.content)
    assert head is not None
    parameters = [parameter.name.upper() for parameter in parse_prototype(problem.prototype).parameters]
    assert (head[1], head[2].split(", ")) == (name.upper(), parameters)


def test_each_way_tells_more_than_the_one_before() -> None:
    texts = [prompt(find_problem("dgemv"), way)[0].content for way in ("name", "techniques", "reference")]
    assert ["cache blocking" in text for text in texts] == [False, True, True]
    assert ["SUBROUTINE" in text for text in texts] == [False, False, True]
    for text in texts:
        assert f"    {find_problem('dgemv').prototype};\n" in text
        assert "With alpha = 0 neither A nor x is read, with beta = 0 y is not." in text
        assert "<immintrin.h>" in text


def test_the_reference_of_another_problem_is_its_naive_kernel() -> None:
    problem = find_problem("dsoftmax")
    assert problem.seed_source(problem.seeds[0]) in prompt(problem, "reference")[0].content
