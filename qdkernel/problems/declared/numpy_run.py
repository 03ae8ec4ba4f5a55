"""Follows the syntax tree of a numpy function, over numbers that carry their magnitude.

Python does not run the function: nothing is followed but assignments, loops over ``range``, conditions, arithmetic,
indexing, and the functions of ``tracked_array``. So a declaration runs no code here.
"""

from __future__ import annotations

import ast
import builtins
import operator
from collections.abc import Mapping

import numpy as np

from qdkernel.errors import ConfigError, QdkernelError, unknown
from qdkernel.problems.declared.operators import ARITHMETIC, COMPARISONS, UNARY, Value
from qdkernel.problems.declared.tracked_array import FUNCTIONS, TrackedArray, values_of

_BINARY = {**ARITHMETIC, ast.MatMult: operator.matmul}
_BUILTINS = ("range", "len", "min", "max", "abs")
_OF_NUMBERS = ("sqrt", "exp", "log", "tanh", "sin", "cos")  # take an integer as an exact number
_METHODS = ("sum", "max", "min", "reshape", "copy", "dot", "transpose", "cumsum")
_ATTRIBUTES = ("T", "shape")
_FAULTS = (ArithmeticError, ValueError, TypeError, LookupError, AttributeError, MemoryError, RecursionError)


class _Return(Exception):
    """Leaves the function with its value."""


class NumpyRun:
    """One call of a function: its names, and the statements that change them.

    Args:
        file: the function is from, for messages.
        names: parameters and their values.
    """

    def __init__(self, file: str, names: Mapping[str, Value]) -> None:
        self._file, self._names = file, dict(names)
        self._line = 0

    def call(self, function: ast.FunctionDef) -> Value:
        """What the function returns.

        Raises:
            ConfigError: it has something that is not followed, or fails; the message names file and line.
        """
        try:
            with np.errstate(all="ignore"):
                self._block(function.body)
        except _Return as result:
            return result.args[0]
        except QdkernelError:
            raise
        except _FAULTS as error:
            raise ConfigError(f"{self._file}:{self._line}: the reference fails: {error}") from None
        raise ConfigError(f"{self._file}: expected a return with the arrays that are written, it has none")

    def _block(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            self._line = statement.lineno
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign(targets=[target], value=value):
                self._store(target, self._value(value))
            case ast.AugAssign(target=ast.Name() | ast.Subscript() as target, op=op, value=value) if (
                type(op) in _BINARY
            ):
                before = self._value(target)
                self._store(target, _BINARY[type(op)](before, self._value(value)))
            case ast.For(target=target, iter=ast.Call(func=ast.Name(id="range")) as steps, body=body, orelse=[]):
                for step in self._value(steps):
                    self._store(target, step)
                    self._block(body)
            case ast.If(test=test, body=body, orelse=other):
                self._block(body if self._truth(test) else other)
            case ast.Return(value=ast.expr() as value):
                raise _Return(self._value(value))
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case _:
                raise unsupported(self._file, node)

    def _store(self, target: ast.expr, value: Value) -> None:
        match target:
            case ast.Name(id=name):
                self._names[name] = value
            case ast.Tuple(elts=parts):
                for part, each in zip(parts, value, strict=True):
                    self._store(part, each)
            case ast.Subscript(value=array, slice=index):
                self._value(array)[self._value(index)] = value
            case _:
                raise unsupported(self._file, target)

    def _truth(self, node: ast.expr) -> bool:
        return bool(values_of(self._value(node)))

    def _value(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant(value=bool() | int() | float() | None as number):
                return number
            case ast.Name(id=name):
                if name not in self._names:
                    raise unknown(f"name in {self._file}:{node.lineno}", name, self._names)
                return self._names[name]
            case ast.Tuple(elts=parts):
                return tuple(self._value(part) for part in parts)
            case ast.Slice(lower=lower, upper=upper, step=step):
                return slice(*(None if part is None else self._value(part) for part in (lower, upper, step)))
            case ast.Subscript(value=array, slice=index):
                return self._value(array)[self._value(index)]
            case ast.Attribute(value=array, attr=name) if name in _ATTRIBUTES:
                return getattr(self._value(array), name)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return _BINARY[type(op)](self._value(left), self._value(right))
            case ast.UnaryOp(op=op, operand=operand) if type(op) in UNARY:
                return UNARY[type(op)](self._value(operand))
            case ast.BoolOp(op=op, values=parts):
                found = (self._truth(part) for part in parts)
                return all(found) if isinstance(op, ast.And) else any(found)
            case ast.IfExp(test=test, body=body, orelse=other):
                return self._value(body if self._truth(test) else other)
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARISONS:
                return COMPARISONS[type(op)](values_of(self._value(left)), values_of(self._value(right)))
            case ast.Call(func=function, args=arguments, keywords=keywords):
                return self._called(function, arguments, keywords)
        raise unsupported(self._file, node)

    def _called(self, function: ast.expr, arguments: list[ast.expr], keywords: list[ast.keyword]) -> Value:
        given = [self._value(argument) for argument in arguments]
        options = {str(keyword.arg): self._value(keyword.value) for keyword in keywords}
        match function:
            case ast.Name(id=name) if name in _BUILTINS:
                if any(isinstance(each, TrackedArray) for each in given) and name != "len":
                    return FUNCTIONS[{"min": "minimum", "max": "maximum"}.get(name, name)](*given)
                return getattr(builtins, name)(*given)
            case ast.Attribute(value=ast.Name(id="np"), attr="zeros" | "ones" as name):
                (shape,) = given
                return self._exact(getattr(np, name)(shape))
            case ast.Attribute(value=ast.Name(id="np"), attr=name):
                if name not in FUNCTIONS:
                    raise unknown(f"function of numpy in {self._file}:{function.lineno}", name, FUNCTIONS)
                if name in _OF_NUMBERS:
                    given = [self._exact(each) for each in given]
                return FUNCTIONS[name](*given, **options)
            case ast.Attribute(value=array, attr=name) if name in _METHODS:
                return FUNCTIONS[name](self._value(array), *given, **options)
        raise unsupported(self._file, function, f"call functions of numpy, or {', '.join(_BUILTINS)}")

    def _exact(self, value: Value) -> TrackedArray:
        """A value as numbers, exact ones where it is not tracked."""
        some = next((each for each in self._names.values() if isinstance(each, TrackedArray)), None)
        if some is None:
            raise TypeError("expected a parameter that holds numbers")
        return some.like(value)


def unsupported(
    file: str, node: ast.AST, advice: str = "write it with assignments, loops over range and arithmetic"
) -> ConfigError:
    """The error for a part of the file that is not followed."""
    line = getattr(node, "lineno", 0)
    return ConfigError(f"{file}:{line}: a numpy reference cannot have {type(node).__name__} here; {advice}")
