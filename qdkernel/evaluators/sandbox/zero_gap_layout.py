"""A call with arrays of gigabytes that are zero but for their first and last rows, while little memory is behind them.

Such an array is that of a small call with rows and columns of zeros put in at one place. The file holds the pages of
its first rows, those of its last rows, and some megabytes for all that lies between: the child maps these again and
again. This is sound as long as nothing but zeros is stored there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from qdkernel.core import Array, ArrayArgument, Case, Signature
from qdkernel.evaluators.sandbox.memory import PAGE, BufferAlignment, Layout, MemoryFile, PlacedArray, Segment

_WHOLE = 1 << 26  # bytes: an array up to this size stands in the file as it is
_FILL = 1 << 24  # bytes: a thousand mappings for an array of 16 GiB; a process may have 65,530


class ZeroGapLayout(Layout):
    """The layout of one large call, whose arrays end with a page.

    Args:
        problem: whose call it is.
        small: the call without the zeros; strides are positive in both.
        large: the call. An array that is no longer along its outermost dimension stands in the file as it is.
        at: position along each dimension in which the two differ, before which the zeros are put in.
    """

    def __init__(self, problem: Signature, small: Case, large: Case, at: int) -> None:
        self._small, self._at = small, at
        super().__init__(problem, [(large, BufferAlignment.BACK)])

    def contents(self, file: MemoryFile, placed: PlacedArray) -> Array:
        """All that the file holds of an array: first elements, last ones, those between; a flat, writable view."""
        segment = self._segments[placed.segment]
        if segment.pieces == 1:
            return self.elements(file, placed)
        return file.bytes[placed.start : segment.offset + segment.num_bytes + segment.fill].view(placed.dtype)

    def places(self, placed: PlacedArray) -> Array:
        """Where in ``contents`` the elements of the small call's array are, in its shape."""
        segment = self._segments[placed.segment]
        flat = np.zeros((), np.int64)
        positions = lengthened(placed.argument.shape(self._small), placed.shape, self._at)
        for along, stride in zip(positions, placed.strides, strict=True):
            flat = flat[..., None] + along * stride
        piece = segment.num_bytes // segment.pieces
        held = (piece - placed.segment_offset) // placed.dtype.itemsize
        return np.where(flat < held, flat, flat - (segment.pitch - piece) // placed.dtype.itemsize)

    def _place(
        self, argument: ArrayArgument, dtype: np.dtype[Any], case: Case, placing: BufferAlignment
    ) -> PlacedArray:
        placed = super()._place(argument, dtype, case, placing)
        whole, small = self._segments[placed.segment], argument.shape(self._small)
        if whole.num_bytes <= _WHOLE or placed.shape[0] == small[0]:
            return placed
        rows = small[0] - self._at
        piece = -(-max(self._at, rows) * placed.strides[0] * dtype.itemsize // PAGE) * PAGE + PAGE
        if 2 * piece >= whole.num_bytes:
            return placed
        fill = min(_FILL, whole.num_bytes - 2 * piece)
        self._segments[placed.segment] = Segment(
            whole.region, whole.offset, 2 * piece, pitch=whole.num_bytes - piece, pieces=2, fill=fill
        )
        self._size[whole.region] = whole.offset + 2 * piece + fill
        return placed


def lengthened(small: tuple[int, ...], large: tuple[int, ...], at: int) -> list[Array]:
    """For each dimension, where its positions are after others were put in before ``at``."""
    return [np.arange(n) + np.where(np.arange(n) < at, 0, more - n) for n, more in zip(small, large, strict=True)]
