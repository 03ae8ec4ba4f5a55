"""Checks of numpy arrays against a C function's arguments, and the scalars of its call that they determine.

Imports nothing of qdkernel: `export --to python` copies this file into the package that it writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]  # Any: arguments differ in dtype
Case = Mapping[str, int | float]


class CheckedArray(Protocol):
    """An array argument; the attributes are those of ``qdkernel.core.ArrayArgument``."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def shape(self) -> Callable[[Case], tuple[int, ...]]: ...  # noqa: D102

    @property
    def strides(self) -> tuple[str | None, ...]: ...  # noqa: D102

    @property
    def index_bound(self) -> Callable[[Case], int] | None: ...  # noqa: D102

    @property
    def is_written(self) -> bool: ...  # noqa: D102


class CheckedFunction(Protocol):
    """A function; the attributes are those of ``qdkernel.core.Problem``."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def size_names(self) -> tuple[str, ...]: ...  # noqa: D102

    @property
    def scored_case(self) -> Callable[[Mapping[str, int]], dict[str, int | float]]: ...  # noqa: D102

    @property
    def arrays(self) -> tuple[Any, ...]: ...  # noqa: D102  # Any: of CheckedArray, which dtype_of takes back

    def dtype_of(self, argument: Any) -> np.dtype[Any]: ...  # noqa: D102


def complete_call(function: CheckedFunction, arrays: tuple[Array, ...], scalars: Mapping[str, float]) -> Case:
    """Every scalar argument of a call: sizes and strides are read off the arrays, others are given or have defaults.

    Args:
        function: to be called.
        arrays: in the order of the prototype.
        scalars: that are not read off the arrays, by name.

    Raises:
        TypeError: the wrong number of arrays, a wrong dtype, or an unknown or missing scalar.
        ValueError: shapes that do not agree, strides that the prototype cannot express, an index out of range, a
            read-only or overlapping output.
    """
    wanted = function.arrays
    if len(arrays) != len(wanted):
        names = ", ".join(argument.name for argument in wanted)
        raise TypeError(f"{function.name} takes the arrays {names}; got {len(arrays)}")
    for argument, array in zip(wanted, arrays, strict=True):
        check_array(function, argument, array)
    _check_overlap(wanted, arrays)
    return complete_case(function, dict(zip((a.name for a in wanted), arrays, strict=True)), scalars)


def check_array(function: CheckedFunction, argument: CheckedArray, array: Array) -> None:
    """Checks dtype, number of dimensions, strides and, of an output, that it can be written.

    Raises:
        TypeError: no numpy array, or one of another dtype.
        ValueError: anything else does not fit.
    """
    dtype = function.dtype_of(argument)
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        got = array.dtype if isinstance(array, np.ndarray) else type(array).__name__
        raise TypeError(f"{argument.name}: expected a numpy array of {dtype}, got {got}")
    dimensions = len(argument.shape(function.scored_case({name: 1 for name in function.size_names})))
    if array.ndim != dimensions:
        raise ValueError(f"{argument.name}: expected {dimensions} dimensions, got shape {array.shape}")
    if _strides(argument, array) is None:
        rows = "rows" if dimensions == 2 else "elements"
        raise ValueError(f"{argument.name}: expected C-contiguous {rows}, got strides {array.strides}; copy it first")
    if argument.is_written and not array.flags.writeable:
        raise ValueError(f"{argument.name} is written by {function.name}, but the array is read-only")


def _strides(argument: CheckedArray, array: Array) -> tuple[int, ...] | None:
    """The array's strides in elements, outermost first; ``None`` when the prototype cannot express them.

    A dimension without a stride of its own must be contiguous. The others may be padded and, in a vector, reversed. The
    stride of a dimension of at most one position is never used; it is taken as contiguous.
    """
    found: list[int] = []
    inner = 1
    names = argument.strides or (None,) * array.ndim
    for extent, num_bytes, name in zip(array.shape[::-1], array.strides[::-1], names[::-1], strict=True):
        stride, rest = divmod(num_bytes, array.itemsize)
        if extent <= 1 or array.size == 0:
            stride = max(1, inner)
        elif rest or (abs(stride) < inner if name else stride != inner) or (stride < 0 and array.ndim > 1):
            return None
        found.append(stride)
        inner = abs(stride) * extent
    return tuple(reversed(found))


def lowest_address(array: Array) -> int:
    """The address of the element that lies first in memory: as in BLAS, also of a reversed vector."""
    reversed_by = sum((extent - 1) * step for extent, step in zip(array.shape, array.strides, strict=True) if step < 0)
    return int(array.ctypes.data) + (reversed_by if array.size else 0)


def _check_overlap(arguments: tuple[CheckedArray, ...], arrays: tuple[Array, ...]) -> None:
    for i, written in enumerate(arguments):
        for j, other in enumerate(arguments):
            if written.is_written and i != j and np.may_share_memory(arrays[i], arrays[j]):
                raise ValueError(f"{written.name} and {other.name} overlap; the prototype promises they do not")


def complete_case(
    function: CheckedFunction, arrays: Mapping[str, Array], scalars: Mapping[str, float]
) -> dict[str, int | float]:
    """Every scalar argument: sizes from the arrays' shapes, strides from the arrays, the rest given.

    Raises:
        TypeError: an unknown or missing scalar.
        ValueError: shapes that do not agree, or an index out of range.
    """
    case: dict[str, int | float] = dict(function.scored_case({name: 1 for name in function.size_names}))
    strides = {name for argument in function.arrays for name in argument.strides if name}
    sizes = _infer_sizes(function, arrays, scalars)
    for name in scalars:
        if name not in case or name in strides or name in sizes:
            free = sorted(set(case) - strides - set(sizes))
            raise TypeError(f"{function.name} takes the scalars {', '.join(free) or '(none)'} by keyword; got {name}")
    missing = [name for name in function.size_names if name not in sizes and name not in scalars]
    if missing:
        raise TypeError(f"{function.name} also needs {', '.join(missing)}, by keyword")
    case |= sizes | dict(scalars)
    for argument in function.arrays:
        array = arrays[argument.name]
        if argument.shape(case) != array.shape:
            raise ValueError(
                f"{argument.name}: expected shape {argument.shape(case)} to go with the others, got {array.shape}"
            )
        if argument.index_bound is not None and not within_bound(array, argument.index_bound(case)):
            raise ValueError(f"{argument.name}: expected values from 0 to {argument.index_bound(case) - 1}")
        if argument.strides:
            known = zip(argument.strides, _strides(argument, array) or (), strict=True)
            case |= {scalar: stride for scalar, stride in known if scalar}
    return case


def _infer_sizes(
    function: CheckedFunction, arrays: Mapping[str, Array], scalars: Mapping[str, float]
) -> dict[str, int]:
    """Sizes that show in a shape, found by asking the function how its shapes move when a size grows by one."""
    base = {name: 1 for name in function.size_names}
    case = {**function.scored_case(base), **scalars}
    found: dict[str, int] = {}
    for name in function.size_names:
        grown = {**function.scored_case(base | {name: 2}), **scalars}
        for argument in function.arrays:
            for small, large, actual in zip(
                argument.shape(case), argument.shape(grown), arrays[argument.name].shape, strict=True
            ):
                if large == small + 1:
                    found.setdefault(name, actual - small + 1)
    return found


def within_bound(indices: Array, bound: int) -> bool:
    """Whether every value of an index array lies in 0 .. ``bound`` - 1."""
    return indices.size == 0 or (int(indices.min()) >= 0 and int(indices.max()) < bound)
