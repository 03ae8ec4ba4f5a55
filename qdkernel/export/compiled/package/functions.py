"""Kernels as functions on numpy arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qdkernel.core import complete_call, lowest_address

Case = Mapping[str, int | float]


@dataclass(frozen=True)
class ArrayArgument:
    """An array argument.

    Attributes:
        name: of the parameter.
        dtype: of its elements.
        is_written: whether the kernel writes it.
        shape: from all scalar arguments.
        strides: the scalar that holds the stride of each dimension; ``None`` where elements are contiguous.
        index_bound: of an index array: its values are below this.
    """

    name: str
    dtype: np.dtype[Any]
    is_written: bool
    shape: Callable[[Case], tuple[int, ...]]
    strides: tuple[str | None, ...] = ()
    index_bound: Callable[[Case], int] | None = None


class Function:
    """A function on numpy arrays, which it changes in place where it writes.

    Arrays come in the prototype's order, a single value passed by pointer as an array of shape (); sizes and strides
    are read off them. The other scalars are keywords. May be called from any thread.

    Attributes:
        name: of the C function.
        size_names: the scalars that make up a size.
        scored_case: all scalars from a size, with the defaults of those that are keywords; without strides.
        arrays: the array arguments.
    """

    def __init__(
        self,
        ffi: Any,
        call: Callable[..., None],
        name: str,
        parameters: tuple[str, ...],
        size_names: tuple[str, ...],
        scored_case: Callable[[Mapping[str, int]], dict[str, int | float]],
        arrays: tuple[ArrayArgument, ...],
    ) -> None:
        self.name = self.__name__ = name
        self.size_names = size_names
        self.scored_case = scored_case
        self.arrays = arrays
        self._ffi = ffi
        self._call = call
        self._parameters = parameters

    def dtype_of(self, argument: ArrayArgument) -> np.dtype[Any]:
        """The dtype of an array argument."""
        return argument.dtype

    def __call__(self, *arrays: NDArray[Any], **scalars: float) -> None:
        """Computes in place.

        Raises:
            TypeError: the wrong number of arrays, a wrong dtype, or an unknown or missing scalar.
            ValueError: shapes that do not agree, strides that the prototype cannot express, an index out of range, a
                read-only or overlapping output.
        """
        case = complete_call(self, arrays, scalars)
        pointers = {
            argument.name: self._ffi.cast("void *", lowest_address(array))
            for argument, array in zip(self.arrays, arrays, strict=True)
        }
        self._call(*(pointers[name] if name in pointers else case[name] for name in self._parameters))

    def __repr__(self) -> str:
        return f"<kernel {self.name}({', '.join(argument.name for argument in self.arrays)})>"
