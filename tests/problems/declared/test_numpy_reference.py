"""References in numpy: the same values and magnitudes as in C, and nothing but arithmetic is followed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qdkernel.core import ArrayArgument, Expected, Role, Scalar, Signature
from qdkernel.errors import ConfigError, QdkernelError
from qdkernel.evaluators.pipeline import EvaluationContext
from qdkernel.evaluators.registration import check_problem
from qdkernel.problems.declared import load_problems, numpy_child
from qdkernel.problems.declared.numpy_reference import parse_numpy_reference
from qdkernel.problems.declared.reference import CReference
from qdkernel.problems.declared.tracked import track
from tests.conftest import make_spec
from tests.docs.pages import files_of

SIGNATURE = Signature(
    name="f",
    prototype="void f(int n, double a, const double *restrict x, const double *restrict A, double *restrict y)",
    dtype=np.dtype(np.float64),
    arguments=(
        Scalar("n"),
        Scalar("a"),
        ArrayArgument("x", Role.IN, lambda case: (int(case["n"]),)),
        ArrayArgument("A", Role.IN, lambda case: (int(case["n"]), int(case["n"]))),
        ArrayArgument("y", Role.INOUT, lambda case: (int(case["n"]),)),
    ),
)
CASE = {"n": 5, "a": -0.75}
SHAPES = {"x": (5,), "A": (5, 5), "y": (5,)}
GIVEN = {name: np.random.default_rng(at).uniform(0.1, 1, shape) for at, (name, shape) in enumerate(SHAPES.items())}


def in_numpy(body: str) -> Expected:
    text = f"import numpy as np\n\n\ndef f(n, a, x, A, y):\n{body}\n"
    return parse_numpy_reference(text, "f.py", "f", SIGNATURE)(CASE, GIVEN)["y"]


def in_c(body: str) -> Expected:
    source = f"#include <math.h>\n{SIGNATURE.prototype}\n{{ for (int i = 0; i < n; i++) {{ {body} }} }}"
    return CReference(SIGNATURE, track(source, "f.c").text, trusted=True)(CASE, GIVEN)["y"]


@pytest.mark.parametrize(
    ("python", "c"),
    [
        (" return a * x + y", "y[i] = a * x[i] + y[i];"),
        (" return A @ x - y / x",
         "double s = 0; for (int j = 0; j < n; j++) s += A[i*n+j]*x[j]; y[i] = s - y[i] / x[i];"),
        (" return np.sqrt(x) * np.exp(a * y)", "y[i] = sqrt(x[i]) * exp(a * y[i]);"),
        (" return np.where(x > y, np.maximum(x, -y), np.tanh(y))",
         "y[i] = x[i] > y[i] ? fmax(x[i], -y[i]) : tanh(y[i]);"),
        (" y += np.sum(A.T, axis=1) * 2\n return y",
         "double s = 0; for (int j = 0; j < n; j++) s += A[j*n+i]; y[i] += 2 * s;"),
        (" for i in range(n):\n  if i % 2 == 0:\n   y[i] = x[i] ** 2 - x[i] * A[i, 0]\n return y",
         "if (i % 2 == 0) y[i] = x[i] * x[i] - x[i] * A[i * n];"),
        (" return (y - x) * (y + x)", "y[i] = (y[i] - x[i]) * (y[i] + x[i]);"),
    ],
)  # fmt: skip
def test_values_and_magnitudes_are_those_of_the_same_function_in_c(python: str, c: str) -> None:
    found, expected = in_numpy(python), in_c(c)
    np.testing.assert_allclose(found.value, expected.value, 1e-17)
    np.testing.assert_allclose(found.magnitude, expected.magnitude, 1e-12)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (" while n:\n  n = 0", r"f\.py:5: a numpy reference cannot have While here; write it with assignments"),
        (" return np.linalg.inv(A) @ x", r"f\.py:5: a numpy reference cannot have Attribute here; call functions"),
        (" return np.load('f')", r"f\.py:5: a numpy reference cannot have Constant here"),
        (" return np.sqr(x)", r"no function of numpy in f\.py:5 'sqr'; did you mean 'sqrt'\?"),
        (" return x.__class__", r"cannot have Attribute here"),
        (" return open(0)", r"cannot have Name here; call functions of numpy, or range, len"),
        (" return x + z", r"no name in f\.py:5 'z'"),
        (" return A", r"f\.py: expected a result of shape \(5,\) for y, got \(5, 5\); correct the return"),
        (" return x, y", r"expected as many results as arrays are written \(1\), got 2"),
        (" y[9] = 0", r"f\.py:5: the reference fails: index 9 is out of bounds"),
        (" return x * 9 ** 9 ** 9", r"f\.py:5: the reference fails: 9 \*\* 387420489 is too large"),
        (" y[0] = 0", r"expected a return with the arrays that are written, it has none"),
    ],
)  # fmt: skip
def test_what_is_no_arithmetic_gets_one_clear_message(body: str, said: str) -> None:
    with pytest.raises(QdkernelError, match=said):
        in_numpy(body)


def test_a_loop_that_does_not_end_is_told_and_the_next_call_has_a_process_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(numpy_child, "CALL_S", 0.2)
    said = r"f\.py: expected a result within 0\.2 s, the reference was still at work; mend a loop that does not end"
    with pytest.raises(ConfigError, match=said):
        in_numpy(" for i in range(10 ** 15):\n  y[0] = y[0] + x[0]\n return y")
    monkeypatch.undo()
    assert np.array_equal(in_numpy(" return x").value, GIVEN["x"])


def test_a_reference_cannot_take_the_host_s_memory() -> None:
    with pytest.raises(ConfigError, match=r"f\.py:5: the reference fails: Unable to allocate"):
        in_numpy(" return x + np.ones(10 ** 10)")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import os\n", r"f\.py:1: a numpy reference cannot have Import here; it has import numpy as np and one"),
        ("def g(x):\n return x\n", r"expected one function f, got \['g'\]"),
        ("def f(x", r"f\.py: expected Python, '\(' was never closed"),
        ("def f(x, *others):\n return x\n", r"cannot have FunctionDef here"),
    ],
)  # fmt: skip
def test_a_file_with_anything_else_is_refused(text: str, said: str) -> None:
    with pytest.raises(QdkernelError, match=said):
        parse_numpy_reference(text, "f.py", "f", SIGNATURE)


def test_a_parameter_must_be_one_of_the_prototype() -> None:
    reference = parse_numpy_reference("def f(x, b):\n return x\n", "f.py", "f", SIGNATURE)
    with pytest.raises(QdkernelError, match=r"no scalar or array that is read for the parameter of f\.py 'b'"):
        reference(CASE, GIVEN)


@pytest.mark.slow
def test_a_problem_with_the_page_s_numpy_reference_can_be_trusted(tmp_path: Path) -> None:
    folder = tmp_path / "row_dots"
    folder.mkdir()
    for name, text in files_of("your-own-kernel.md").items():
        (folder / name).write_text(text + ("reference: row_dots.py\n" if name == "problem.yaml" else ""))
    (problem,) = load_problems(folder)
    assert problem.nest_depth == 2
    context = EvaluationContext(make_spec(tmp_path, f"{folder}/", 40))
    try:
        findings = list(check_problem(context.problem, context, tmp_path))
        assert [finding for finding in findings if finding.advice] == []
    finally:
        context.close()
