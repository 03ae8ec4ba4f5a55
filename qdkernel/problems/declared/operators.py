"""Operators of Python's expressions by their syntax, for formulas and numpy references, which Python does not run."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

Value = Any  # Any: what a declaration computes with: numbers, truth values, and arrays of them

_LARGEST_POWER_BITS = 256  # by thought: no count comes near, and larger integers take long to make


def _power(base: Value, exponent: Value) -> Value:
    large = isinstance(base, int) and isinstance(exponent, int) and base not in (-1, 0, 1)
    if large and abs(exponent) * math.log2(abs(base)) > _LARGEST_POWER_BITS:
        raise OverflowError(f"{base} ** {exponent} is too large")
    return base**exponent


ARITHMETIC: dict[type[ast.operator], Callable[[Value, Value], Value]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: _power,
}
COMPARISONS: dict[type[ast.cmpop], Callable[[Value, Value], Value]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
UNARY: dict[type[ast.unaryop], Callable[[Value], Value]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
}
