"""What the arrays of a declared problem hold before a call: the shared input families, bent by its formulas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from qdkernel.core import Array, ArrayArgument, Case
from qdkernel.problems.declared.declaration import ArrayEntry
from qdkernel.problems.declared.formula import Formula
from qdkernel.problems.families import FAMILIES

_INDICES = "ijkl"
_INTEGERS = (-1024, 1024)


@dataclass(frozen=True)
class Contents:
    """Fills one array that a kernel reads.

    Attributes:
        argument: the array.
        entry: its declaration.
        dtype: of its elements.
    """

    argument: ArrayArgument
    entry: ArrayEntry
    dtype: np.dtype[Any]

    def __call__(self, family: str, case: Case, rng: np.random.Generator) -> Array:
        """The array for an input family."""
        shape = self.argument.shape(case)
        if self.entry.offsets is not None:
            last = int(Formula(self.entry.offsets, f"arrays.{self.argument.name}.offsets")(case))
            return _offsets(family, shape[0], last, rng).astype(self.dtype)
        drawn = self._drawn(family, shape, case, rng)
        if self.entry.values is not None:
            drawn = np.broadcast_to(self.elements("values", case, shape, drawn), shape).astype(self.dtype)
        if self.entry.unread is not None and self.dtype.kind == "f":
            drawn[np.broadcast_to(self.elements("unread", case, shape), shape)] = np.nan
        return drawn

    def elements(self, key: str, case: Case, shape: tuple[int, ...], drawn: Array | None = None) -> Array:
        """A formula of elements, of a shape that broadcasts to the array's; truth values unless it is ``values``."""
        names: dict[str, Any] = dict(case)  # Any: numbers and arrays
        names |= dict(zip(_INDICES, np.indices(shape, sparse=True), strict=False))
        if drawn is not None:
            names["x"] = drawn
        found = np.asarray(Formula(getattr(self.entry, key), f"arrays.{self.argument.name}.{key}")(names))
        return found if key == "values" else found.astype(bool)

    def _drawn(self, family: str, shape: tuple[int, ...], case: Case, rng: np.random.Generator) -> Array:
        bound = self.argument.index_bound
        if bound is not None:
            return np.asarray(rng.integers(0, max(1, bound(case)), shape, self.dtype))
        if self.dtype.kind != "f":
            info = np.iinfo(self.dtype)
            low, high = self.entry.range or (max(_INTEGERS[0], info.min), min(_INTEGERS[1], info.max))
            return np.asarray(rng.integers(int(low), int(high), shape, self.dtype, endpoint=True))
        if self.entry.range is not None:
            low, high = self.entry.range
            return np.asarray(rng.uniform(low, high, shape)).astype(self.dtype)
        return np.asarray(FAMILIES[family](self.dtype, shape, rng)).astype(self.dtype, copy=False)


def _offsets(family: str, count: int, last: int, rng: np.random.Generator) -> Array:
    """Ascending offsets from 0 to ``last``: rows of random lengths, of equal ones, or most of it in a few rows."""
    rows = count - 1
    if rows < 1:
        return np.zeros(count, np.int64)
    if family == "integers":
        lengths = np.full(rows, last // rows)
        lengths[: last % rows] += 1
    else:
        weights = rng.random(rows) ** (1 if family == "uniform" else 12)
        lengths = rng.multinomial(last, weights / weights.sum())
    return np.concatenate([[0], np.cumsum(lengths)])
