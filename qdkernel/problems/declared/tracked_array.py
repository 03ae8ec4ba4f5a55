"""Arrays of numbers that carry their magnitude, by the rules of ``tracked.c``, for references in numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from qdkernel.core import Array

_MOST_POWER = 64  # by thought: larger powers are written with exp and log

Operand = Any  # Any: a tracked array, a number, or an array of integers
Index = Any  # Any: what numpy takes as an index


@dataclass(frozen=True, eq=False)
class TrackedArray:
    """Numbers and their magnitudes; a magnitude that is not positive marks a number that no rounding has touched.

    Attributes:
        v: values, in the wide type.
        m: magnitudes, of the same shape.
        tiny: the smallest normal number of the kernel's type.
    """

    v: Array
    m: Array
    tiny: float

    __array_ufunc__ = None  # numpy's own operators leave the operation to this class

    def like(self, other: Operand) -> TrackedArray:
        """Another operand as exact numbers, if it is none that is tracked."""
        return other if isinstance(other, TrackedArray) else exact(other, self.v.dtype, self.tiny)

    @property
    def shape(self) -> tuple[int, ...]:
        """As of numpy."""
        return self.v.shape

    @property
    def T(self) -> TrackedArray:
        """As of numpy."""
        return self.each(np.transpose)

    @property
    def carried(self) -> Array:
        """Magnitudes of the errors in the numbers themselves: 0 where they are exact."""
        return np.maximum(self.m, 0)

    def each(self, rearrange: Callable[[Array], Array]) -> TrackedArray:
        """The same numbers in other places."""
        return TrackedArray(rearrange(self.v), rearrange(self.m), self.tiny)

    def __getitem__(self, index: Index) -> TrackedArray:
        return self.each(lambda array: np.asarray(array[index]))

    def __setitem__(self, index: Index, value: Operand) -> None:
        value = self.like(value)
        self.v[index], self.m[index] = value.v, value.m

    def __len__(self) -> int:
        return len(self.v)

    def __neg__(self) -> TrackedArray:
        return TrackedArray(-self.v, self.m, self.tiny)

    def __pos__(self) -> TrackedArray:
        return self

    def __add__(self, other: Operand) -> TrackedArray:
        other = self.like(other)
        return TrackedArray(self.v + other.v, np.abs(self.m) + np.abs(other.m), self.tiny)

    def __sub__(self, other: Operand) -> TrackedArray:
        other = self.like(other)
        itself = (self.m <= 0) & (other.m <= 0) & (self.v == other.v)
        return TrackedArray(self.v - other.v, np.where(itself, 0, np.abs(self.m) + np.abs(other.m)), self.tiny)

    def __mul__(self, other: Operand) -> TrackedArray:
        return _product(self, self.like(other), np.multiply, 1)

    def __matmul__(self, other: Operand) -> TrackedArray:
        return _product(self, self.like(other), np.matmul, self.v.shape[-1])

    def __truediv__(self, other: Operand) -> TrackedArray:
        other = self.like(other)
        v = self.v / other.v
        return TrackedArray(v, np.abs(self.m / other.v) + np.abs(v * (other.m / other.v)) + self.tiny, self.tiny)

    def __pow__(self, power: Operand) -> TrackedArray:
        if not (isinstance(power, int) and 1 <= power <= _MOST_POWER):
            raise ValueError(f"expected a power from 1 to {_MOST_POWER}, got {power!r}")
        return reduce(TrackedArray.__mul__, [self] * power)

    def __radd__(self, other: Operand) -> TrackedArray:
        return self.__add__(other)

    def __rsub__(self, other: Operand) -> TrackedArray:
        return self.like(other).__sub__(self)

    def __rmul__(self, other: Operand) -> TrackedArray:
        return self.__mul__(other)

    def __rtruediv__(self, other: Operand) -> TrackedArray:
        return self.like(other).__truediv__(self)

    def __rmatmul__(self, other: Operand) -> TrackedArray:
        return self.like(other).__matmul__(self)


def exact(values: Operand, wide: np.dtype[Any], tiny: float) -> TrackedArray:
    """Numbers without an error."""
    v = np.array(values, wide)
    return TrackedArray(v, -np.abs(v), tiny)


def values_of(operand: Operand) -> Operand:
    """The plain values of an operand."""
    return operand.v if isinstance(operand, TrackedArray) else operand


def _product(a: TrackedArray, b: TrackedArray, apply: Callable[[Array, Array], Array], terms: int) -> TrackedArray:
    """Products, or sums of ``terms`` of them: each magnitude times the other number, to first order."""
    m = apply(a.carried, np.abs(b.v)) + apply(np.abs(a.v), b.carried)
    untouched = apply(np.abs(np.minimum(a.m, 0)), np.abs(np.minimum(b.m, 0)))
    return TrackedArray(apply(a.v, b.v), m + untouched + terms * a.tiny, a.tiny)


def _by_condition(apply: Callable[[Array], Array], error: Callable[[TrackedArray, Array], Array]) -> Callable[..., Any]:
    """A function whose magnitude follows from the value and what its argument carries."""

    def function(x: TrackedArray) -> TrackedArray:
        v = apply(x.v)
        return TrackedArray(v, error(x, v), x.tiny)

    return function


def _sqrt_error(x: TrackedArray, v: Array) -> Array:
    return np.where(v == 0, np.sqrt(x.carried), v + x.carried / (2 * v))


def _bounded_error(x: TrackedArray, v: Array) -> Array:
    return np.abs(v) + x.carried


def _larger(apply: Callable[..., Array]) -> Callable[..., TrackedArray]:
    def function(a: Operand, b: Operand) -> TrackedArray:
        a, b = (a, a.like(b)) if isinstance(a, TrackedArray) else (b.like(a), b)
        v = apply(a.v, b.v)
        m = np.where((a.m <= 0) & (b.m <= 0), -np.abs(v), np.maximum(np.abs(a.m), np.abs(b.m)))
        return TrackedArray(v, m, a.tiny)

    return function


def _largest(apply: Callable[..., Array]) -> Callable[..., TrackedArray]:
    def function(x: TrackedArray, axis: int | None = None, keepdims: bool = False) -> TrackedArray:
        v = np.asarray(apply(x.v, axis=axis, keepdims=keepdims))
        m = np.abs(x.m).max(axis=axis, keepdims=keepdims)
        return TrackedArray(v, np.where(np.all(x.m <= 0, axis=axis, keepdims=keepdims), -np.abs(v), m), x.tiny)

    return function


def _sum(x: TrackedArray, axis: int | None = None, keepdims: bool = False) -> TrackedArray:
    v, m = (np.asarray(array.sum(axis=axis, keepdims=keepdims)) for array in (x.v, np.abs(x.m)))
    return TrackedArray(v, m, x.tiny)


def _cumsum(x: TrackedArray, axis: int | None = None) -> TrackedArray:
    return TrackedArray(np.cumsum(x.v, axis), np.cumsum(np.abs(x.m), axis), x.tiny)


def _where(test: Operand, a: Operand, b: Operand) -> Operand:
    tracked = next((each for each in (a, b) if isinstance(each, TrackedArray)), None)
    if tracked is None:
        return np.where(test, a, b)
    a, b = tracked.like(a), tracked.like(b)
    return TrackedArray(np.where(test, a.v, b.v), np.where(test, a.m, b.m), tracked.tiny)


def _rearranged(apply: Callable[..., Array]) -> Callable[..., Operand]:
    """A function that only moves, repeats or drops elements, or puts zeros."""

    def function(x: Operand, *arguments: Any, **options: Any) -> Operand:  # Any: numpy's
        if isinstance(x, TrackedArray):
            return x.each(lambda array: apply(array, *arguments, **options))
        return apply(x, *arguments, **options)

    return function


FUNCTIONS: Mapping[str, Callable[..., Operand]] = {
    "abs": lambda x: TrackedArray(np.abs(x.v), x.m, x.tiny) if isinstance(x, TrackedArray) else np.abs(x),
    "sqrt": _by_condition(np.sqrt, _sqrt_error),
    "exp": _by_condition(np.exp, lambda x, v: v * (1 + x.carried) + x.tiny),
    "log": _by_condition(np.log, lambda x, v: np.abs(v) + np.abs(x.carried / x.v)),
    "tanh": _by_condition(np.tanh, _bounded_error),
    "sin": _by_condition(np.sin, _bounded_error),
    "cos": _by_condition(np.cos, _bounded_error),
    "maximum": _larger(np.maximum),
    "minimum": _larger(np.minimum),
    "max": _largest(np.max),
    "min": _largest(np.min),
    "sum": _sum,
    "cumsum": _cumsum,
    "dot": lambda a, b: a @ b,
    "matmul": lambda a, b: a @ b,
    "outer": lambda a, b: a[:, None] * b[None, :],
    "where": _where,
    "transpose": _rearranged(np.transpose),
    "reshape": _rearranged(np.reshape),
    "copy": _rearranged(np.copy),
    "roll": _rearranged(np.roll),
    "flip": _rearranged(np.flip),
    "tril": _rearranged(np.tril),
    "triu": _rearranged(np.triu),
    "diag": _rearranged(np.diag),
    "zeros_like": _rearranged(np.zeros_like),
    "arange": np.arange,
}
"""What a reference may call of numpy; each takes the arguments of numpy's function that are named here."""
