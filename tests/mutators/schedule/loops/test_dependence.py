"""Which loops the test of dependences takes for independent."""

from __future__ import annotations

import pytest

from qdkernel.mutators.schedule.loops.dependence import Dependences, dependences
from qdkernel.mutators.schedule.loops.nest import loops_of

KERNEL = (
    "void f(int n, double *restrict x, const double *restrict y, const int *restrict at)\n"
    "{{ double s = 0; {} x[0] += s; }}\n"
)


@pytest.mark.parametrize(
    ("loop", "found"),
    [
        ("for (int i = 0; i < n; i++) x[i] = y[i + 1];", Dependences(True)),
        ("for (int i = 0; i < n; i++) { double t = y[i]; t *= t; x[i] += t; }", Dependences(True)),
        ("for (int i = 0; i < n; i++) { double t[4]; t[i % 4] = y[i]; x[i] = t[0]; }", Dependences(True)),
        ("for (int i = 0; i < n; i++) for (int j = 0; j < n; j++) x[i * n + j] = sqrt(y[j]);", Dependences(True)),
        ("for (int i = 0; i < n; i++) s += x[i] * y[i];", Dependences(True, ("s",))),
        ("for (int i = 0; i < n; i++) x[i] = x[i - 1];", Dependences(False)),
        ("for (int i = 0; i < n; i++) x[0] += y[i];", Dependences(False)),
        ("for (int i = 0; i < n; i++) x[at[i]] = y[i];", Dependences(False)),
        ("for (int i = 0; i < n; i++) x[i / 2] = y[i];", Dependences(False)),
        ("for (int i = 0; i < n; i++) { s += y[i]; x[i] = s; }", Dependences(False)),
        ("for (int i = 0; i < n; i++) s = y[i];", Dependences(False)),
        ("for (int i = 0; i < n; i++) { double *p = x; p[i] = *(p + 1); }", Dependences(False)),
        ("for (int i = 0; i < n; i++) x[i] = step(x);", Dependences(False)),
    ],
)
def test_a_loop_is_independent_when_no_iteration_needs_what_another_writes(loop: str, found: Dependences) -> None:
    outermost, *_ = loops_of(KERNEL.format(loop))
    assert dependences(outermost) == found


@pytest.mark.parametrize(
    "loop",
    [
        "for (int i = 0; i < n; i++) { x[i] = 0; if (y[i] > 0) break; }",
        "for (int i = 0; i < n; i++) i += 1;",
        "for (int i = 0; i != n; i++) x[i] = 0;",
        "for (int i = 0; i < n && y[i] > 0; i++) x[i] = 0;",
        "for (int i = n; i > 0; i--) x[i] = 0;",
    ],
)
def test_a_loop_whose_iterations_are_not_known_before_it_is_left_alone(loop: str) -> None:
    assert loops_of(KERNEL.format(loop)) == []
