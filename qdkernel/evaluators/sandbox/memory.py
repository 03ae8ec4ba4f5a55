"""Memory shared with a contained child: sealed memory files, and the layout of calls in them."""

from __future__ import annotations

import enum
import fcntl
import functools
import math
import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qdkernel.core import Array, ArrayArgument, Case, Scalar, Signature, check_prototype

PAGE = 4096
_SEALS = 0x1 | 0x2 | 0x4  # F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW: a child that truncates cannot kill the parent
_F_ADD_SEALS = 1033

# The structures of native/protocol.h.
_PLAN = np.dtype([("segments", "u4"), ("calls", "u4"), ("parameters", "u4"), ("unused", "u4")])
_SEGMENT = np.dtype(
    [(name, "u8") for name in ("offset", "bytes", "pitch", "fill")] + [("region", "u4"), ("pieces", "u4")]
)
_ARGUMENT = np.dtype([("segment", "i8"), ("value", "u8")])
_SLOT_DTYPES = {"int32": "<i4", "int64": "<i8", "float32": "<f4", "float64": "<f8"}


class MemoryFile:
    """An anonymous file of fixed size, mapped here and handed to children as a descriptor."""

    def __init__(self, name: str, num_bytes: int) -> None:
        self.num_bytes = max(PAGE, -(-num_bytes // PAGE) * PAGE)
        self.fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(self.fd, self.num_bytes)
        fcntl.fcntl(self.fd, _F_ADD_SEALS, _SEALS)
        self._map = mmap.mmap(self.fd, self.num_bytes)
        self.bytes: Array = np.frombuffer(self._map, dtype=np.uint8)

    def read_only_fd(self) -> int:
        """A new descriptor that can only be mapped for reading."""
        return os.open(f"/proc/self/fd/{self.fd}", os.O_RDONLY | os.O_CLOEXEC)

    def close(self) -> None:
        """Gives the memory back; views handed out keep it alive until they are gone."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class BufferAlignment(enum.Enum):
    """Where an array stands in its pages; an unmapped page stands before the first and after the last."""

    FRONT = enum.auto()
    """At the start, page aligned: an access before the first element faults."""
    SHIFTED = enum.auto()
    """One element in: aligned to nothing but the element."""
    BACK = enum.auto()
    """Ends with the page: an access past the last element faults."""


class Region(enum.IntEnum):
    """The file that contains an array."""

    INPUT = 0
    """Read-only in the child."""
    OUTPUT = 1
    """Writable in the child."""


@dataclass(frozen=True)
class PlacedArray:
    """Where one array of one call is; offsets are in bytes, strides in elements."""

    argument: ArrayArgument
    dtype: np.dtype[Any]
    segment: int
    region: Region
    file_offset: int
    segment_offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def start(self) -> int:
        """Offset in the file of its first byte, which the kernel gets a pointer to."""
        return self.file_offset + self.segment_offset

    @property
    def num_elements(self) -> int:
        """Elements from the first to the last in memory, those between its rows included."""
        return _span(self.shape, self.strides)

    def logical(self, flat: Array) -> Array:
        """The array in its logical shape, as a view of its elements in memory, shape (num_elements,)."""
        reversed_by = sum((n - 1) * -step for n, step in zip(self.shape, self.strides, strict=True) if step < 0)
        first = flat[reversed_by:] if flat.size else flat  # the pointer is to the last element of a reversed dimension
        strides = tuple(step * flat.itemsize for step in self.strides)
        return np.lib.stride_tricks.as_strided(first, shape=self.shape, strides=strides)

    def position(self, element: int) -> tuple[int, ...] | None:
        """The logical index of an element in memory, counted from its first; ``None`` for one between its rows."""
        index = []
        for extent, stride in zip(self.shape, self.strides, strict=True):
            at, element = divmod(element, abs(stride))
            if at >= extent:
                return None
            index.append(at if stride > 0 else extent - 1 - at)
        return tuple(index) if element == 0 else None


def _span(shape: tuple[int, ...], strides: tuple[int, ...]) -> int:
    if 0 in shape:
        return 0
    return sum((extent - 1) * abs(stride) for extent, stride in zip(shape, strides, strict=True)) + 1


def poison(dtype: np.dtype[Any], rng: np.random.Generator) -> int | float:
    """What arrays that are only written hold before a call: NaN, or a random integer, which no kernel can guess."""
    if dtype.kind == "f":
        return math.nan
    return int(rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, dtype=dtype, endpoint=True))


@dataclass(frozen=True)
class PlacedCall:
    """One call: its scalars and where its arrays are, in the prototype's order."""

    case: Case
    arrays: tuple[PlacedArray, ...]


@dataclass(frozen=True)
class Segment:
    """Whole pages of a file, mapped as equal pieces ``pitch`` bytes apart, with ``fill`` bytes repeated in between."""

    region: Region
    offset: int
    num_bytes: int
    pitch: int
    pieces: int = 1
    fill: int = 0

    @property
    def extent(self) -> int:
        """Bytes of address space from its first piece to its last."""
        return (self.pieces - 1) * self.pitch + self.num_bytes // self.pieces


class Layout:
    """Where the arrays of a sequence of calls live in an input and an output file, those of one dtype side by side.

    Args:
        problem: whose calls they are.
        calls: (case, placing) of each call.

    Raises:
        ConfigError: the problem's arguments disagree with its prototype.
    """

    def __init__(self, problem: Signature, calls: Sequence[tuple[Case, BufferAlignment]]) -> None:
        self.problem = problem
        self._prototype = check_prototype(problem)
        self._segments: list[Segment] = []
        self._size = [0, 0]
        self._ranges: list[tuple[Region, np.dtype[Any], slice]] = []
        placed: list[dict[str, PlacedArray]] = [{} for _ in calls]
        for dtype in dict.fromkeys(map(problem.dtype_of, problem.arrays)):
            begin = tuple(self._size)
            for arrays, (case, placing) in zip(placed, calls, strict=True):
                for argument in problem.arrays:
                    if problem.dtype_of(argument) == dtype:
                        arrays[argument.name] = self._place(argument, dtype, case, placing)
            for region in Region:
                if self._size[region] > begin[region]:
                    self._ranges.append((region, dtype, slice(begin[region], self._size[region])))
        self.calls = tuple(
            PlacedCall(case, tuple(arrays[argument.name] for argument in problem.arrays))
            for arrays, (case, _) in zip(placed, calls, strict=True)
        )

    @property
    def input_bytes(self) -> int:
        """Size of the input file."""
        return self._size[Region.INPUT]

    @property
    def output_bytes(self) -> int:
        """Size of the output file."""
        return self._size[Region.OUTPUT]

    @property
    def num_bytes(self) -> int:
        """Size of both files."""
        return sum(self._size)

    @property
    def segment_bytes(self) -> tuple[int, ...]:
        """Address space of the segments, in the order in which a child maps them, an unmapped page around each."""
        return tuple(segment.extent for segment in self._segments)

    def ranges(self, region: Region) -> list[tuple[np.dtype[Any], slice]]:
        """(dtype, bytes of the file) of all arrays of one dtype, their surroundings included, whole pages each."""
        return [(dtype, span) for each, dtype, span in self._ranges if each is region]

    def view(self, file: MemoryFile, placed: PlacedArray) -> Array:
        """The array in its logical shape, as a writable view into ``file``."""
        return placed.logical(self.elements(file, placed))

    def elements(self, file: MemoryFile, placed: PlacedArray) -> Array:
        """The array's elements in memory, those between its rows included, shape (num_elements,)."""
        num_bytes = placed.num_elements * placed.dtype.itemsize
        return file.bytes[placed.start : placed.start + num_bytes].view(placed.dtype)

    @functools.cached_property
    def plan(self) -> bytes:
        """The layout as the child reads it: ``struct qd_plan`` and what follows it."""
        parameters = self._prototype.parameters
        head = np.zeros((), _PLAN)
        head["segments"], head["calls"] = len(self._segments), len(self.calls)
        head["parameters"] = len(parameters)
        segments = np.zeros(len(self._segments), _SEGMENT)
        for i, each in enumerate(self._segments):
            segments[i] = (each.offset, each.num_bytes, each.pitch, each.fill, each.region, each.pieces)
        arguments = np.zeros((len(self.calls), len(parameters)), _ARGUMENT)
        for row, call in zip(arguments, self.calls, strict=True):
            case = self.case_in_child(call)
            placed = {array.argument.name: array for array in call.arrays}
            for slot, argument, parameter in zip(row, self.problem.arguments, parameters, strict=True):
                if isinstance(argument, Scalar):
                    slot["segment"] = -1
                    value = np.zeros(8, np.uint8)
                    scalar = np.array([case[argument.name]], _SLOT_DTYPES[parameter.kind.value])
                    value[: scalar.nbytes] = scalar.view(np.uint8)
                    slot["value"] = value.view(np.uint64)[0]
                else:
                    slot["segment"] = placed[argument.name].segment
                    slot["value"] = placed[argument.name].segment_offset
        return head.tobytes() + segments.tobytes() + arguments.tobytes()

    def case_in_child(self, call: PlacedCall) -> Case:
        """The scalars of a call as the child's kernel gets them."""
        return call.case

    def _place(
        self, argument: ArrayArgument, dtype: np.dtype[Any], case: Case, placing: BufferAlignment
    ) -> PlacedArray:
        shape, strides = argument.shape(case), argument.strides_of(case)
        length = _span(shape, strides) * dtype.itemsize
        shift = dtype.itemsize if placing is BufferAlignment.SHIFTED else 0
        num_bytes = max(PAGE, -(-(length + shift) // PAGE) * PAGE)
        within = num_bytes - length if placing is BufferAlignment.BACK else shift
        region = Region.OUTPUT if argument.is_written else Region.INPUT
        offset = self._size[region]
        self._segments.append(Segment(region, offset, num_bytes, num_bytes))
        self._size[region] += num_bytes
        return PlacedArray(argument, dtype, len(self._segments) - 1, region, offset, within, shape, strides)
