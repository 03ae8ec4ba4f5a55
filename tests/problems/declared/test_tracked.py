"""References over tracked numbers: values in higher precision, magnitudes by the rules of running error analysis."""

from __future__ import annotations

import re

import numpy as np
import pytest

from qdkernel.core import ArrayArgument, Expected, Role, Scalar, Signature
from qdkernel.errors import ConfigError
from qdkernel.problems.declared.reference import CReference
from qdkernel.problems.declared.tracked import track

SIGNATURE = Signature(
    name="f",
    prototype="void f(int n, double a, const double *restrict x, double *restrict y)",
    dtype=np.dtype(np.float64),
    arguments=(
        Scalar("n"),
        Scalar("a"),
        ArrayArgument("x", Role.IN, lambda case: (int(case["n"]),)),
        ArrayArgument("y", Role.INOUT, lambda case: (2,)),
    ),
)
X = np.array([3.0, -4.0, 1e-3])


def computed(body: str) -> Expected:
    """What ``body`` leaves in y, which holds (5, 7) before."""
    source = f"#include <math.h>\nvoid f(int n, double a, const double *restrict x, double *restrict y)\n{{{body}}}"
    reference = CReference(SIGNATURE, track(source, "f.c").text, trusted=True)
    return reference({"n": 3, "a": -0.5}, {"x": X, "y": np.array([5.0, 7.0])})["y"]


@pytest.mark.parametrize(
    ("statement", "value", "magnitude"),
    [
        ("y[0] = x[0] + x[1];", -1, 7),
        ("y[0] -= a * x[1];", 3, 7),
        ("y[0] *= x[0] - x[1];", 35, 35),
        ("y[0] = (x[0] + x[1]) * x[0];", -3, 21),
        ("y[0] = x[1] / x[0];", -4 / 3, 8 / 3),
        ("y[0] = sqrt(x[0] * x[0]);", 3, 4.5),
        ("y[0] = exp(x[0]);", np.exp(3), np.exp(3)),
        ("y[0] = fmax(x[0], a + x[1]);", 3, 4.5),
        ("double s = 0; for (int i = 0; i < n; i++) s += fabs(x[i]); y[0] = -s;", -7.001, 7.001),
        ("y[0] = x[0] > x[1] ? x[0] + 1 : 0;", 4, 4),
        ("y[0] = (int)(x[0] + x[1]) + n / 2;", 0, 0),
    ],
)
def test_values_and_magnitudes_follow_the_arithmetic(statement: str, value: float, magnitude: float) -> None:
    found = computed(statement)
    assert float(found.value[0]) == pytest.approx(value, rel=1e-15)
    assert float(found.magnitude[0]) == pytest.approx(magnitude, rel=1e-12)


def test_what_no_rounding_has_touched_is_exact() -> None:
    found = computed("y[0] = -x[1];")
    assert found.value.tolist() == [4, 7]
    assert found.magnitude.tolist() == [0, 0]


def test_the_value_has_more_digits_than_a_double() -> None:
    found = computed("y[0] = x[0] / x[2];")
    assert found.value[0] != np.longdouble(3.0 / 1e-3)
    assert abs(found.value[0] - np.longdouble(3.0) / np.longdouble(1e-3)) < 1e-15


def test_static_functions_local_arrays_and_pointers_are_followed() -> None:
    source = """
    static double square(double v) { return v * v; }
    void f(int n, double a, const double *restrict x, double *restrict y)
    {
        double squares[n], *last = y + 1;
        const double *from = x;
        for (int i = 0; i < n; i++)
            squares[i] = square(from[i]);
        *last = squares[0] + squares[1];
    }"""
    found = CReference(SIGNATURE, track(source, "f.c").text, trusted=True)(
        {"n": 3, "a": 0.0}, {"x": X, "y": np.array([5.0, 7.0])}
    )["y"]
    assert found.value.tolist() == [5, 25]
    assert found.magnitude[1] == pytest.approx(25)


def test_the_depth_of_the_nest_is_that_of_its_loops() -> None:
    nests = "void f(int n) { for (; n;) while (n) { n--; } for (int i = 0; i < n; i++) n--; }"
    assert track(nests, "f.c").nest_depth == 2


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("#define N 3\nvoid f(int n) { }", "f.c:1: a reference is plain C with <math.h>"),
        ("void f(int n) {\n n = getpid(); }", "f.c:2: a reference cannot have FuncCall here; call static functions"),
        ("void f(int n) { goto end; end: n = 1; }", "f.c:1: a reference cannot have Goto here"),
        ("void f(int n { }", "f.c: expected plain C, "),
        ("void f(double *y) { y[0] = pow(y[0], 2); }", "call static functions of the same file, malloc, free, or cos"),
    ],
)
def test_what_cannot_be_tracked_is_refused_with_its_line(source: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        track(source, "f.c")


@pytest.mark.parametrize(
    ("statement", "value", "magnitude"),
    [
        (
            "y[0] = (x[0] + x[1]) * (x[0] - x[1]);",
            -7,
            7 * 7 + 7,
        ),  # (m of the first) |second| + |first| (m of the second)
        ("double d = x[1] - x[1]; y[0] = 1e6 * d;", 0, 0),
    ],
)
def test_magnitudes_hold_no_terms_of_second_order(statement: str, value: float, magnitude: float) -> None:
    found = computed(statement)
    assert float(found.value[0]) == value
    assert float(found.magnitude[0]) == pytest.approx(magnitude, abs=1e-300)


def test_a_magnitude_that_overflows_frees_no_element() -> None:
    found = computed("double s = x[0] + x[1]; for (int i = 0; i < 17000; i++) s *= s; y[0] = s;")
    assert float(found.value[0]) == 1
    assert np.isfinite(found.magnitude).all()
