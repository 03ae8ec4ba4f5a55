"""A C reference over tracked numbers, compiled and called: in this process if it is shipped, else in a contained child.

Both ways the same generated function is called, ``qd_reference(head, in, out)``: ``head`` has three words for each
parameter: a scalar, or the byte offsets of an array in ``in`` and ``out`` (-1 for none) and its elements. In this
process ``in`` and ``out`` are null and the offsets are addresses.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qdkernel.core import Array, ArrayArgument, Arrays, Case, Expected, Role, Scalar, Signature, check_prototype
from qdkernel.core.problem import Kind, Prototype
from qdkernel.evaluators.toolchain import build_cached, find_toolchain

Head = NDArray[np.int64]
Pairs = dict[str, Array]
"""Written arrays by name: (elements, 2) values and magnitudes, or (elements,) of integers."""

CALL_S = 60.0
"""Deadline of a call of a reference that is not the package's own. By thought: one over tracked numbers takes some 50
times as long as a fast kernel."""
MEMORY_MB = 4096
"""Memory of its process, beyond the arrays of a C reference."""

_FLAGS = ("-std=gnu11", "-O2", "-fno-strict-aliasing", "-ffp-contract=off", "-fPIC", "-shared", "-w")
_WORDS = 3
_FINITE = 2.0**-64  # leaves room for the factors of an error limit
_OPERATIONS = Path(__file__).with_name("tracked.c")
_C_TYPES = {"int8": "int8_t", "int32": "int32_t", "int64": "int64_t", "float32": "float", "float64": "double"}

WIDE: Mapping[str, np.dtype[Any]] = {"long double": np.dtype(np.longdouble), "double": np.dtype(np.float64)}
"""C types that references compute in, with numpy's dtypes of the same layout."""

SIGNATURE = Signature(
    name="qd_reference",
    prototype="void qd_reference(const int64_t *restrict head, const int64_t *restrict in, int64_t *restrict out)",
    dtype=np.dtype(np.int64),
    arguments=(
        ArrayArgument("head", Role.IN, lambda case: (int(case["head"]),)),
        ArrayArgument("in", Role.IN, lambda case: (int(case["in"]),)),
        ArrayArgument("out", Role.INOUT, lambda case: (int(case["out"]),)),
    ),
)
"""The generated function, as a kernel of three arrays of words."""


class Caller(Protocol):
    """Calls a compiled reference."""

    def call(self, head: Head, inputs: Mapping[int, Array], outputs: Mapping[int, Array]) -> None:
        """Fills in the offsets of ``head`` and calls; arrays are by the position of their parameter."""


@dataclass(frozen=True)
class CReference:
    """The C that defines a problem, for one signature.

    Attributes:
        signature: of the problem.
        text: the reference's C over tracked numbers (see ``track``).
        trusted: shipped with the package, so it may run in this process.
    """

    signature: Signature
    text: str
    trusted: bool
    _callers: dict[str, Caller] = field(default_factory=dict, repr=False, compare=False)

    def __call__(self, case: Case, arrays: Arrays, wide: str = "long double") -> dict[str, Expected]:
        """The written arrays of a call and what their errors are relative to, in the C type ``wide``.

        Strides are passed as those of arrays without gaps: results do not depend on them.
        """
        head = np.full((len(self.signature.arguments), _WORDS), -1, np.int64)
        inputs: dict[int, Array] = {}
        outputs: dict[int, Array] = {}
        case = contiguous(self.signature, case)
        for at, argument in enumerate(self.signature.arguments):
            if isinstance(argument, Scalar):
                head[at, 0] = self._scalar(at, case)
                continue
            shape, dtype = argument.shape(case), self.signature.dtype_of(argument)
            head[at, 2] = math.prod(shape)
            if argument.is_read:
                inputs[at] = np.ascontiguousarray(arrays[argument.name], dtype)
            if argument.is_written:
                pair = (*shape, 2) if dtype.kind == "f" else shape
                outputs[at] = np.zeros(pair, WIDE[wide] if dtype.kind == "f" else dtype)
        if wide not in self._callers:
            self._callers[wide] = self._prepare(wide)
        self._callers[wide].call(head, inputs, outputs)
        return {self.signature.arguments[at].name: _expected(result) for at, result in outputs.items()}

    @cached_property
    def _prototype(self) -> Prototype:
        return check_prototype(self.signature)

    def _scalar(self, at: int, case: Case) -> int:
        name = self.signature.arguments[at].name
        if self._prototype.parameters[at].kind in (Kind.INT32, Kind.INT64):
            return int(case[name])
        return int(np.float64(self.signature.dtype.type(case[name])).view(np.int64))

    def _prepare(self, wide: str) -> Caller:
        source = self.source(wide)
        if not self.trusted:
            from qdkernel.problems.declared.contained import ContainedCaller  # only users' own references need it

            return ContainedCaller(source)
        return _LocalCaller(build_cached(find_toolchain("gcc", ()), "reference.so", ["reference.c", *_FLAGS, "-lm"],
                                         {"reference.c": source}))  # fmt: skip

    def source(self, wide: str) -> str:
        """The whole C text of ``qd_reference`` in a C type."""
        tiny = float(np.finfo(self.signature.dtype).tiny)
        operations = _OPERATIONS.read_text(encoding="utf-8")
        return f"#define QD_WIDE {wide}\n#define QD_TINY {tiny!r}\n{operations}\n{self.text}\n{self._entry()}"

    def _entry(self) -> str:
        """C text that unpacks ``head``, calls the reference, and leaves results in ``out``."""
        lines, passed = [], []
        for at, parameter in enumerate(self._prototype.parameters):
            words = [f"head[{_WORDS * at + word}]" for word in range(_WORDS)]
            if parameter.kind is not Kind.POINTER:
                integer = parameter.kind in (Kind.INT32, Kind.INT64)
                passed.append(words[0] if integer else f"qd_scalar({words[0]})")
                continue
            assert parameter.element is not None
            c_type, name = _C_TYPES[parameter.element.value], f"a{at}"
            source, target = (f"({words[i]} < 0 ? 0 : (uintptr_t){base} + {words[i]})"
                              for i, base in ((0, "in"), (1, "out")))  # fmt: skip
            passed.append(name)
            if parameter.readonly:
                lines.append(f"const {c_type} *{name} = (const {c_type} *){source};")
            elif parameter.element in (Kind.FLOAT32, Kind.FLOAT64):
                lines.append(f"qd_real *{name} = (qd_real *){target};")
                lines.append(f"QD_BEGIN({c_type}, {name}, {source}, {words[2]});")
            else:
                lines.append(f"{c_type} *{name} = ({c_type} *){target};")
                lines.append(f"if ({source}) memcpy({name}, (const void *){source}, {words[2]} * sizeof *{name});")
        body = "\n    ".join((*lines, f"{self.signature.name}({', '.join(passed)});"))
        return f"{SIGNATURE.prototype}\n{{\n    {body}\n}}\n"


class _LocalCaller:
    def __init__(self, library: Path) -> None:
        self._function = ctypes.CDLL(str(library)).qd_reference
        self._function.argtypes = [ctypes.c_void_p] * 3
        self._function.restype = None

    def call(self, head: Head, inputs: Mapping[int, Array], outputs: Mapping[int, Array]) -> None:
        for word, arrays in ((0, inputs), (1, outputs)):
            for at, array in arrays.items():
                head[at, word] = array.ctypes.data
        self._function(head.ctypes.data, None, None)


def contiguous(signature: Signature, case: Case) -> Case:
    """The case with the strides of arrays without gaps."""
    changed = dict(case)
    for argument in signature.arguments:
        if isinstance(argument, ArrayArgument):
            inner = 1
            for extent, name in zip(reversed(argument.shape(case)), reversed(argument.strides), strict=False):
                if name:
                    changed[name] = max(1, inner)
                inner *= extent
    return changed


def single_precision(source: str) -> str:
    """C text over ``double`` turned into text over ``float``, functions of ``<math.h>`` included."""
    text = re.sub(r"\bdouble\b", "float", source)
    return re.sub(r"\b(sqrt|fabs|exp|log|tanh|sin|cos|fmax|fmin)\(", r"\1f(", text)


def expected_of(value: Array, magnitude: Array) -> Expected:
    """Results and their magnitudes, which are changed: what no rounding has touched, NaN and infinities are exact."""
    # an infinite magnitude would leave its element unspecified
    np.minimum(magnitude, np.finfo(magnitude.dtype).max * _FINITE, out=magnitude)
    magnitude[~(np.isfinite(value) & (magnitude > 0))] = 0
    return Expected(value, magnitude)


def _expected(result: Array) -> Expected:
    if result.dtype.kind != "f":
        return Expected(result, np.zeros(result.shape))
    return expected_of(result[..., 0], result[..., 1])
