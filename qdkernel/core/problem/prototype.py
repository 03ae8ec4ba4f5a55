"""A problem's C declaration as parsed by cffi, and the C that calls a kernel through it."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from qdkernel.core.problem.definition import ArrayArgument, Role, Scalar, Signature
from qdkernel.errors import ConfigError

_DECLARATION = re.compile(r"^[^();]*?\b(?P<name>[A-Za-z_]\w*)\s*\((?P<parameters>[^()]*)\)\s*;?\s*$")
_SIZED_INTEGER = re.compile(r"\bint(8|32|64)_t\b")
_PARAMETER = re.compile(r"^(?P<type>.*?)\b(?P<name>[A-Za-z_]\w*)$", re.S)


class Kind(enum.Enum):
    """How a parameter travels from the evaluator to the kernel."""

    INT8 = "int8"
    """Only behind a pointer."""
    INT32 = "int32"
    INT64 = "int64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    POINTER = "pointer"


_SLOT_MEMBER = {Kind.INT32: "i", Kind.INT64: "l", Kind.FLOAT32: "f", Kind.FLOAT64: "d", Kind.POINTER: "p"}


@dataclass(frozen=True)
class Parameter:
    """One parameter of a kernel.

    Attributes:
        name: as in the declaration.
        c_type: its type as written, e.g. ``const double *restrict``.
        kind: how it is passed.
        element: kind of what a pointer points to; ``None`` for a scalar.
        readonly: the pointed-to elements are ``const``; false for a scalar.
    """

    name: str
    c_type: str
    kind: Kind
    element: Kind | None = None
    readonly: bool = False


@dataclass(frozen=True)
class Prototype:
    """A kernel's declaration; the function returns nothing."""

    name: str
    parameters: tuple[Parameter, ...]


def parse_prototype(declaration: str) -> Prototype:
    """The prototype that a C ``declaration`` such as ``void f(int n, double *restrict x)`` declares.

    cffi decides what the types are; the text only gives names and qualifiers, which cffi drops.

    Raises:
        ConfigError: not the declaration of one function, a result other than ``void``, a parameter without a name,
            or one that is neither a 4- or 8-byte signed integer, ``float``, ``double`` nor a pointer to those.
    """
    match = _DECLARATION.match(declaration)
    if match is None:
        raise ConfigError(
            f"a prototype declares one function, e.g. void f(int n, double *restrict x); got {declaration!r}"
        )
    ffi, function = _function_type(declaration)
    if function.result.kind != "void" or function.ellipsis:
        raise ConfigError(
            f"a kernel returns void and takes a fixed number of arguments; got {declaration!r}: write results to arrays"
        )
    texts = match["parameters"].split(",") if function.args else []
    pairs = zip(texts, function.args, strict=True)
    return Prototype(match["name"], tuple(_parameter(ffi, text.strip(), ctype) for text, ctype in pairs))


def check_prototype(problem: Signature) -> Prototype:
    """The prototype of ``problem``, after checking that the declared arguments agree with cffi's parse.

    They agree when names and number are the same, arrays are pointers to their dtype (``const`` exactly for those with
    ``Role.IN``), floating-point scalars have the problem's dtype and every other scalar is an integer.

    Raises:
        ConfigError: naming the first disagreement.
    """
    prototype = parse_prototype(problem.prototype)
    if prototype.name != problem.name:
        raise ConfigError(f"problem {problem.name!r} declares the function {prototype.name!r}; give both one name")
    declared = [argument.name for argument in problem.arguments]
    parsed = [parameter.name for parameter in prototype.parameters]
    if declared != parsed:
        raise ConfigError(
            f"problem {problem.name!r} lists the arguments {', '.join(declared)} but its prototype has "
            f"{', '.join(parsed)}; list the same names in the same order"
        )
    for argument, parameter in zip(problem.arguments, prototype.parameters, strict=True):
        dtype = problem.dtype if isinstance(argument, Scalar) else problem.dtype_of(argument)
        wanted = _mismatch(argument, parameter, Kind(np.dtype(dtype).name))
        if wanted is not None:
            raise ConfigError(
                f"problem {problem.name!r}: {argument.name} should be {wanted} but the prototype says "
                f"{parameter.c_type!r}; change the declaration or the argument"
            )
    return prototype


def prototype_header(problem: Signature) -> str:
    """C text that declares the problem's function, after the headers that its types need."""
    headers = ["stddef.h"] + (["stdint.h"] if _SIZED_INTEGER.search(problem.prototype) else [])
    includes = "".join(f"#include <{header}>\n" for header in headers)
    return f"{includes}{problem.prototype.rstrip().rstrip(';')};\n"


def trampoline(problem: Signature) -> str:
    """C text of ``qd_call``, which calls a kernel through the problem's exact prototype.

    The text needs ``union qd_slot { int32_t i; int64_t l; float f; double d; void *p; }`` to be declared before it.
    For ``void f(int n, double *x)`` it reads::

        typedef void qd_kernel(int n, double *x);
        static void qd_call(void (*kernel)(void), const union qd_slot *slot)
        {
            ((qd_kernel *)kernel)(slot[0].i, slot[1].p);
        }
    """
    prototype = parse_prototype(problem.prototype)
    parameters = ", ".join(f"{p.c_type} {p.name}" for p in prototype.parameters) or "void"
    passed = ", ".join(f"slot[{i}].{_SLOT_MEMBER[p.kind]}" for i, p in enumerate(prototype.parameters))
    return (
        f"typedef void qd_kernel({parameters});\n"
        "static void qd_call(void (*kernel)(void), const union qd_slot *slot)\n"
        "{\n"
        f"    ((qd_kernel *)kernel)({passed});\n"
        "}\n"
    )


def _function_type(declaration: str) -> tuple[Any, Any]:
    """The parser and its type of the declared function (Any: cffi ships no types)."""
    import cffi  # with its C parser 40 ms, and most commands never look at a prototype

    ffi = cffi.FFI()
    try:
        # A typedef can be looked up by name through cffi's public interface, a function cannot.
        ffi.cdef(f"typedef {declaration.strip().rstrip(';')};")
        (name,), _, _ = ffi.list_types()
        function = ffi.typeof(f"{name} *")
    except (cffi.FFIError, cffi.CDefError, TypeError, ValueError) as error:
        raise ConfigError(f"cffi cannot parse the prototype {declaration!r}: {error}") from error
    if function.kind != "function":
        raise ConfigError(f"a prototype declares one function, e.g. void f(int n); got {declaration!r}")
    return ffi, function


def _parameter(ffi: Any, text: str, ctype: Any) -> Parameter:
    match = _PARAMETER.match(text)
    if match is None or not match["type"].strip():
        raise ConfigError(f"every parameter of a prototype needs a type and a name; got {text!r}")
    name, c_type = match["name"], " ".join(match["type"].split())
    if ctype.kind != "pointer":
        return Parameter(name, c_type, _number_kind(ffi, ctype, text))
    readonly = re.search(r"\bconst\b", c_type.partition("*")[0]) is not None
    return Parameter(name, c_type, Kind.POINTER, _number_kind(ffi, ctype.item, text, pointed_to=True), readonly)


def _number_kind(ffi: Any, ctype: Any, text: str, pointed_to: bool = False) -> Kind:
    if ctype.kind == "primitive":
        size = ffi.sizeof(ctype)
        if ctype.cname in ("float", "double"):
            return Kind.FLOAT32 if size == 4 else Kind.FLOAT64
        if pointed_to and ctype.cname in ("int8_t", "signed char"):
            return Kind.INT8
        if "char" not in ctype.cname and size in (4, 8) and int(ffi.cast(ctype, -1)) == -1:  # signed
            return Kind.INT32 if size == 4 else Kind.INT64
    raise ConfigError(
        "a kernel's parameters are int, int64_t, float, double or pointers to them or to int8_t; "
        f"got {text!r} ({ctype.cname})"
    )


def _mismatch(argument: Scalar | ArrayArgument, parameter: Parameter, number: Kind) -> str | None:
    """What the parameter should have been, or ``None`` when it agrees with the declared argument."""
    if isinstance(argument, Scalar):
        if parameter.kind in (Kind.INT32, Kind.INT64, number):
            return None
        return f"an integer or a {number.value} scalar"
    readonly = argument.role is Role.IN
    if parameter.kind is Kind.POINTER and parameter.element is number and parameter.readonly == readonly:
        return None
    return f"a pointer to {'const' if readonly else 'writable'} {number.value}"
