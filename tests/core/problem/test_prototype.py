"""Prototypes: what cffi says of a declaration, agreement with a problem, and the trampoline's text."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from qdkernel.core import ArrayArgument, Role, Scalar, check_prototype, parse_prototype, prototype_header, trampoline
from qdkernel.core.problem.prototype import Kind, Parameter, Prototype
from qdkernel.errors import ConfigError
from qdkernel.problems import PROBLEMS, find_problem


def test_a_declaration_is_parsed_into_names_kinds_and_qualifiers() -> None:
    parsed = parse_prototype("void f(int n, int64_t big, float s, double d, const float *restrict x, double *y);")
    assert parsed == Prototype(
        "f",
        (
            Parameter("n", "int", Kind.INT32),
            Parameter("big", "int64_t", Kind.INT64),
            Parameter("s", "float", Kind.FLOAT32),
            Parameter("d", "double", Kind.FLOAT64),
            Parameter("x", "const float *restrict", Kind.POINTER, Kind.FLOAT32, readonly=True),
            Parameter("y", "double *", Kind.POINTER, Kind.FLOAT64),
        ),
    )


def test_a_declaration_may_span_lines_and_have_no_parameters() -> None:
    assert parse_prototype("void f(\n    int n\n)\n").parameters == (Parameter("n", "int", Kind.INT32),)
    assert parse_prototype("void nothing(void)") == Prototype("nothing", ())


def test_a_constant_pointer_to_writable_elements_is_not_read_only() -> None:
    (parameter,) = parse_prototype("void f(double *const x)").parameters
    assert parameter == Parameter("x", "double *const", Kind.POINTER, Kind.FLOAT64)


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        ("", "a prototype declares one function"),
        ("int x;", "a prototype declares one function"),
        ("void f(int n); void g(int n);", "a prototype declares one function"),
        ("void f(void (*callback)(int))", "a prototype declares one function"),
        ("double f(int n)", "a kernel returns void"),
        ("void f(int n, ...)", "a kernel returns void"),
        ("void f(matrix *x)", "cffi cannot parse the prototype"),
        ("void f(int)", "needs a type and a name; got 'int'"),
        ("void f(unsigned n)", "got 'unsigned n'"),
        ("void f(char c)", "got 'char c'"),
        ("void f(size_t n)", "got 'size_t n'"),
        ("void f(double **x)", r"got 'double \*\*x'"),
        ("void f(void *x)", r"got 'void \*x'"),
    ],
)
def test_what_no_kernel_can_be_called_through_is_refused(declaration: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_prototype(declaration)


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_registered_problem_agrees_with_its_prototype(name: str) -> None:
    assert check_prototype(PROBLEMS[name]).name == name == PROBLEMS[name].name


def test_arguments_that_disagree_with_the_prototype_are_named() -> None:
    problem = find_problem("jacobi2d")
    swapped = (problem.arguments[1], problem.arguments[0], *problem.arguments[2:])
    with pytest.raises(ConfigError, match="lists the arguments t, n, u, v, ld but its prototype has n, t, u, v, ld"):
        check_prototype(dataclasses.replace(problem, arguments=swapped))
    with pytest.raises(ConfigError, match="declares the function 'jacobi2d'; give both one name"):
        check_prototype(dataclasses.replace(problem, name="heat"))
    with pytest.raises(ConfigError, match="u should be an integer or a float64 scalar"):
        check_prototype(dataclasses.replace(problem, arguments=_with(problem.arguments, Scalar("u"))))
    readonly = ArrayArgument("v", Role.IN, lambda case: (1, 1))
    with pytest.raises(ConfigError, match=r"v should be a pointer to const float64 .* says 'double \*restrict'"):
        check_prototype(dataclasses.replace(problem, arguments=_with(problem.arguments, readonly)))


def test_an_argument_may_have_a_dtype_of_its_own() -> None:
    problem = dataclasses.replace(
        find_problem("jacobi2d"),
        name="f",
        prototype="void f(const int *restrict index, float *restrict x)",
        arguments=(
            ArrayArgument("index", Role.IN, lambda case: (1,), dtype=np.dtype(np.int32)),
            ArrayArgument("x", Role.OUT, lambda case: (), dtype=np.dtype(np.float32)),
        ),
    )
    assert [parameter.name for parameter in check_prototype(problem).parameters] == ["index", "x"]
    wide = dataclasses.replace(problem, prototype="void f(const int64_t *restrict index, float *restrict x)")
    with pytest.raises(ConfigError, match="index should be a pointer to const int32"):
        check_prototype(wide)
    assert prototype_header(problem) == f"#include <stddef.h>\n{problem.prototype};\n"
    assert prototype_header(wide) == f"#include <stddef.h>\n#include <stdint.h>\n{wide.prototype};\n"


def test_the_trampoline_casts_to_the_exact_prototype_and_passes_each_slot() -> None:
    small = dataclasses.replace(find_problem("sgemm"), prototype="void f(int n, float s, const float *restrict x);")
    assert trampoline(small) == (
        "typedef void qd_kernel(int n, float s, const float *restrict x);\n"
        "static void qd_call(void (*kernel)(void), const union qd_slot *slot)\n"
        "{\n"
        "    ((qd_kernel *)kernel)(slot[0].i, slot[1].f, slot[2].p);\n"
        "}\n"
    )


def _with(
    arguments: tuple[Scalar | ArrayArgument, ...], replacement: Scalar | ArrayArgument
) -> tuple[Scalar | ArrayArgument, ...]:
    return tuple(replacement if argument.name == replacement.name else argument for argument in arguments)
