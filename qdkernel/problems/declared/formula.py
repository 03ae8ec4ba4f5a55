"""Formulas of a declaration, e.g. ``2 * m * n * k``: a small part of Python's expressions, read without running any.

Numbers, names, ``+ - * / // % **``, comparisons, ``and or not``, ``a if test else b``, elementwise ``&`` and ``|``, and
the functions of ``FUNCTIONS``. A name stands for a number or for an array.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping

import numpy as np

from qdkernel.errors import ConfigError, unknown
from qdkernel.problems.declared.operators import ARITHMETIC, COMPARISONS, UNARY, Value

_BINARY = {**ARITHMETIC, ast.BitAnd: operator.and_, ast.BitOr: operator.or_}


def _symmetric(values: Value) -> Value:
    """The lower triangle of a square matrix, mirrored."""
    return np.tril(values) + np.tril(values, -1).T


FUNCTIONS: Mapping[str, Callable[..., Value]] = {
    "abs": np.abs,
    "log2": np.log2,
    "max": max,
    "min": min,
    "sqrt": np.sqrt,
    "symmetric": _symmetric,
}


class Formula:
    """An expression over named values.

    Args:
        text: the expression; a number stands for itself.
        what: the entry it is from, for messages.

    Raises:
        ConfigError: it is no such expression.
        UnknownName: it calls an unknown function.
    """

    def __init__(self, text: str | int | float, what: str) -> None:
        self.text, self.what = str(text), what
        try:
            self._tree = ast.parse(self.text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            reason = getattr(error, "msg", None) or str(error)
            raise ConfigError(
                f"{what}: expected a formula such as 2 * m * n, got {self.text[:80]!r} ({reason})"
            ) from None
        self.names: frozenset[str] = frozenset(self._check(self._tree))

    def __call__(self, values: Mapping[str, Value]) -> Value:
        """The value for the given names.

        Raises:
            ConfigError: it has none, e.g. after a division by 0.
        """
        try:
            with np.errstate(all="ignore"):
                return self._value(self._tree, values)
        except (ArithmeticError, ValueError, TypeError, RecursionError) as error:
            raise ConfigError(f"{self.what}: {self.text} has no value here: {error}; change the formula") from None

    def _check(self, node: ast.expr) -> set[str]:
        """The names in an expression, after checking that it has nothing else."""
        match node:
            case ast.Constant(value=bool() | int() | float()):
                return set()
            case ast.Name(id=name):
                return {name}
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                return self._check(left) | self._check(right)
            case ast.UnaryOp(op=op, operand=operand) if type(op) in UNARY:
                return self._check(operand)
            case ast.BoolOp(values=parts):
                return set().union(*map(self._check, parts))
            case ast.IfExp(test=test, body=body, orelse=other):
                return self._check(test) | self._check(body) | self._check(other)
            case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in COMPARISONS for op in ops):
                return set().union(*map(self._check, (left, *others)))
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                if name not in FUNCTIONS:
                    raise unknown(f"function in a formula ({self.what})", name, FUNCTIONS)
                return set().union(*map(self._check, arguments))
        shown = ast.unparse(node)[:60]
        raise ConfigError(f"{self.what}: a formula has numbers, names, operators and functions; got {shown!r}")

    def _value(self, node: ast.expr, values: Mapping[str, Value]) -> Value:
        match node:
            case ast.Constant(value=number):
                return number
            case ast.Name(id=name):
                if name not in values:
                    raise unknown(f"name in the formula of {self.what}", name, values)
                return values[name]
            case ast.BinOp(left=left, op=op, right=right):
                return _BINARY[type(op)](self._value(left, values), self._value(right, values))
            case ast.UnaryOp(op=op, operand=operand):
                return UNARY[type(op)](self._value(operand, values))
            case ast.BoolOp(op=op, values=parts):
                found = (bool(self._value(part, values)) for part in parts)
                return all(found) if isinstance(op, ast.And) else any(found)
            case ast.IfExp(test=test, body=body, orelse=other):
                return self._value(body if self._value(test, values) else other, values)
            case ast.Compare(left=left, ops=ops, comparators=others):
                sides = [self._value(side, values) for side in (left, *others)]
                pairs = [COMPARISONS[type(op)](*pair) for op, *pair in zip(ops, sides, sides[1:], strict=False)]
                return pairs[0] if len(pairs) == 1 else np.logical_and.reduce(pairs)
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return FUNCTIONS[name](*(self._value(argument, values) for argument in arguments))
        raise AssertionError(ast.dump(node))  # _check refused it
