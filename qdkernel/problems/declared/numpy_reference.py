"""A numpy function as a problem's reference, computed over numbers that carry their magnitude (``numpy_run``).

It is followed in a process of its own, which has the limits of a C reference: of time and of memory.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

import numpy as np

from qdkernel.core import Arrays, Case, Expected, Scalar, Signature, check_prototype
from qdkernel.core.problem import Kind
from qdkernel.errors import ConfigError, unknown
from qdkernel.problems.declared.numpy_child import call_in_child
from qdkernel.problems.declared.numpy_run import unsupported
from qdkernel.problems.declared.operators import Value
from qdkernel.problems.declared.reference import WIDE, expected_of
from qdkernel.problems.declared.tracked_array import TrackedArray, exact, values_of


@dataclass(frozen=True)
class NumpyReference:
    """The numpy function that defines a problem, for one signature.

    Attributes:
        signature: of the problem.
        function: its syntax tree.
        file: it is from, for messages.
    """

    signature: Signature
    function: ast.FunctionDef
    file: str

    def __call__(self, case: Case, arrays: Arrays, wide: str = "long double") -> dict[str, Expected]:
        """The written arrays of a call and what their errors are relative to, in the type named as in C.

        Raises:
            ConfigError: the function has no result here, or one of another shape, or took too long.
        """
        written = [argument for argument in self.signature.arrays if argument.is_written]
        result = call_in_child(self.function, self.file, self._arguments(case, arrays, WIDE[wide]))
        results = result if isinstance(result, tuple) else (result,)
        if len(results) != len(written):
            raise self._mistake(f"expected as many results as arrays are written ({len(written)}), got {len(results)}")
        expected = {}
        for argument, found in zip(written, results, strict=True):
            shape, dtype = argument.shape(case), self.signature.dtype_of(argument)
            if np.shape(values_of(found)) != shape:
                got = np.shape(values_of(found))
                raise self._mistake(f"expected a result of shape {shape} for {argument.name}, got {got}")
            if dtype.kind != "f":
                expected[argument.name] = Expected(np.asarray(values_of(found)).astype(dtype), np.zeros(shape))
                continue
            tracked = found if isinstance(found, TrackedArray) else exact(found, WIDE[wide], 0.0)
            expected[argument.name] = expected_of(np.asarray(tracked.v), np.array(tracked.m))
        return expected

    def _arguments(self, case: Case, arrays: Arrays, wide: np.dtype[Any]) -> dict[str, Value]:
        """The parameters of the function: scalars and read arrays by their names in the prototype."""
        tiny = float(np.finfo(self.signature.dtype).tiny)
        values: dict[str, Value] = {}
        for argument, parameter in zip(
            self.signature.arguments, check_prototype(self.signature).parameters, strict=True
        ):
            if isinstance(argument, Scalar):
                number = case[argument.name]
                real = parameter.kind in (Kind.FLOAT32, Kind.FLOAT64)
                values[argument.name] = exact(self.signature.dtype.type(number), wide, tiny) if real else int(number)
            elif argument.is_read:
                array = arrays[argument.name]
                values[argument.name] = exact(array, wide, tiny) if array.dtype.kind == "f" else array.astype(np.int64)
        given = [parameter.arg for parameter in self.function.args.args]
        for name in given:
            if name not in values:
                raise unknown(f"scalar or array that is read for the parameter of {self.file}", name, values)
        return {name: values[name] for name in given}

    def _mistake(self, text: str) -> ConfigError:
        return ConfigError(f"{self.file}: {text}; correct the return")


def parse_numpy_reference(text: str, file: str, name: str, signature: Signature) -> NumpyReference:
    """The reference in a Python file: ``import numpy as np``, and one function named like the problem.

    Raises:
        ConfigError: the file holds something else.
    """
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"{file}: expected Python, {getattr(error, 'msg', None) or error}") from None
    functions = []
    for node in statements:
        match node:
            case ast.FunctionDef(
                args=ast.arguments(posonlyargs=[], vararg=None, kwonlyargs=[], kwarg=None, defaults=[])
            ):
                functions.append(node)
            case ast.Import(names=[ast.alias(name="numpy", asname="np")]) | ast.Expr(value=ast.Constant()):
                pass
            case _:
                raise unsupported(file, node, f"it has import numpy as np and one function {name}")
    if len(functions) != 1 or functions[0].name != name:
        raise ConfigError(f"{file}: expected one function {name}, got {[each.name for each in functions]}")
    return NumpyReference(signature, functions[0], file)
