"""Formulas of declarations: what they compute, and what they refuse."""

from __future__ import annotations

import re

import numpy as np
import pytest

from qdkernel.errors import ConfigError, UnknownName
from qdkernel.problems.declared.formula import Formula


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 * m * n", 60),
        (7, 7),
        ("m if trans else n", 5),
        ("n // 4 + n % 4 - -1", 3),
        ("2 ** m", 64),
        ("max(m, n) * log2(8)", 18),
        ("m > n and not trans", True),
    ],
)
def test_a_formula_has_pythons_value(text: str, value: float) -> None:
    assert Formula(text, "flops")({"m": 6, "n": 5, "trans": 0}) == value


def test_a_formula_of_elements_works_on_arrays() -> None:
    i, j = np.indices((3, 3), sparse=True)
    lower = Formula("(i > j) | (unit & (i == j))", "unread")({"i": i, "j": j, "unit": 1})
    np.testing.assert_array_equal(lower, np.tri(3, dtype=bool))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2 *", r"flops: expected a formula such as 2 \* m \* n, got '2 \*'"),
        ("n.real", "flops: a formula has numbers, names, operators and functions; got 'n.real'"),
        ("__import__('os')", "no function in a formula (flops) '__import__'"),
        ("[n]", "got '[n]'"),
        ("'text'", "got \"'text'\""),
    ],
)
def test_anything_else_is_refused(text: str, said: str) -> None:
    with pytest.raises((ConfigError, UnknownName)) as caught:
        Formula(text, "flops")
    assert said.replace("\\", "") in str(caught.value)


@pytest.mark.parametrize("text", ["1 / (n - n)", "9 ** 9 ** 9", "n % 0"])
def test_a_formula_without_a_value_says_so(text: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"flops: {text} has no value here")):
        Formula(text, "flops")({"n": 3})


def test_an_unknown_name_is_named_with_the_known_ones() -> None:
    with pytest.raises(UnknownName, match=r"no name in the formula of flops 'k'; .*\(known: m, n\)"):
        Formula("2 * k", "flops")({"m": 1, "n": 2})
