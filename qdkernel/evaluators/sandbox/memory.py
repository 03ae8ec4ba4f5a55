"""Memory shared with a contained child: sealed memory files, and the layout of calls in them."""

from __future__ import annotations

import enum
import fcntl
import functools
import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qdkernel.core import Array, ArrayArgument, Case, Problem, Role, Scalar, parse_prototype

PAGE = 4096
_SEALS = 0x1 | 0x2 | 0x4  # F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW: a child that truncates cannot kill the parent
_F_ADD_SEALS = 1033

# The structures of native/protocol.h.
_PLAN = np.dtype([("segments", "u4"), ("calls", "u4"), ("parameters", "u4"), ("unused", "u4")])
_SEGMENT = np.dtype([("offset", "u8"), ("bytes", "u8"), ("region", "u4"), ("unused", "u4")])
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


@dataclass(frozen=True)
class PlacedArray:
    """Where one array of one call lives: ``region`` 0 input file, 1 output file; offsets in bytes."""

    argument: ArrayArgument
    segment: int
    region: int
    file_offset: int
    segment_offset: int
    shape: tuple[int, int]
    stride: int

    @property
    def num_elements(self) -> int:
        """Elements from the first to the last, padding between rows included."""
        rows, columns = self.shape
        return (rows - 1) * self.stride + columns if rows and columns else 0


@dataclass(frozen=True)
class PlacedCall:
    """One call: its scalars and where its arrays are."""

    case: Case
    arrays: tuple[PlacedArray, ...]


class Layout:
    """Where the arrays of a sequence of calls live in an input and an output file.

    Args:
        problem: whose calls they are.
        calls: (case, placing) of each call.
    """

    def __init__(self, problem: Problem, calls: Sequence[tuple[Case, BufferAlignment]]) -> None:
        self.problem = problem
        self._segments: list[tuple[int, int, int]] = []
        self._size = [0, 0]
        self.calls = tuple(self._place(case, placing) for case, placing in calls)

    @property
    def input_bytes(self) -> int:
        """Size of the input file."""
        return self._size[0]

    @property
    def output_bytes(self) -> int:
        """Size of the output file."""
        return self._size[1]

    def view(self, file: MemoryFile, placed: PlacedArray) -> Array:
        """The array in its logical shape, as a writable view into ``file``."""
        flat = self.elements(file, placed)
        rows, columns = placed.shape
        strides = (placed.stride * flat.itemsize, flat.itemsize)
        return np.lib.stride_tricks.as_strided(flat, shape=(rows, columns), strides=strides)

    def elements(self, file: MemoryFile, placed: PlacedArray) -> Array:
        """The array's elements with the padding between its rows, shape (num_elements,)."""
        itemsize = self.problem.dtype.itemsize
        start = placed.file_offset + placed.segment_offset
        return file.bytes[start : start + placed.num_elements * itemsize].view(self.problem.dtype)

    @functools.cached_property
    def plan(self) -> bytes:
        """The layout as the child reads it: ``struct qd_plan`` and what follows it."""
        parameters = parse_prototype(self.problem.prototype).parameters
        head = np.zeros((), _PLAN)
        head["segments"], head["calls"] = len(self._segments), len(self.calls)
        head["parameters"] = len(parameters)
        segments = np.zeros(len(self._segments), _SEGMENT)
        for i, (region, offset, num_bytes) in enumerate(self._segments):
            segments[i] = (offset, num_bytes, region, 0)
        arguments = np.zeros((len(self.calls), len(parameters)), _ARGUMENT)
        for row, call in zip(arguments, self.calls, strict=True):
            placed = {array.argument.name: array for array in call.arrays}
            for slot, argument, parameter in zip(row, self.problem.arguments, parameters, strict=True):
                if isinstance(argument, Scalar):
                    slot["segment"] = -1
                    value = np.zeros(8, np.uint8)
                    scalar = np.array([call.case[argument.name]], _SLOT_DTYPES[parameter.kind.value])
                    value[: scalar.nbytes] = scalar.view(np.uint8)
                    slot["value"] = value.view(np.uint64)[0]
                else:
                    slot["segment"] = placed[argument.name].segment
                    slot["value"] = placed[argument.name].segment_offset
        return head.tobytes() + segments.tobytes() + arguments.tobytes()

    def _place(self, case: Case, placing: BufferAlignment) -> PlacedCall:
        return PlacedCall(case, tuple(self._place_array(argument, case, placing) for argument in self.problem.arrays))

    def _place_array(self, argument: ArrayArgument, case: Case, placing: BufferAlignment) -> PlacedArray:
        rows, columns = argument.shape(case)
        stride = int(case[argument.leading]) if argument.leading else columns
        itemsize = self.problem.dtype.itemsize
        length = ((rows - 1) * stride + columns if rows and columns else 0) * itemsize
        shift = itemsize if placing is BufferAlignment.SHIFTED else 0
        num_bytes = max(PAGE, -(-(length + shift) // PAGE) * PAGE)
        within = num_bytes - length if placing is BufferAlignment.BACK else shift
        region = 0 if argument.role is Role.IN else 1
        offset = self._size[region]
        self._segments.append((region, offset, num_bytes))
        self._size[region] += num_bytes
        return PlacedArray(argument, len(self._segments) - 1, region, offset, within, (rows, columns), stride)
