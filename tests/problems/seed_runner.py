"""Child process of test_problem_seeds: runs a compiled seed over cases whose arrays end at a guard page.

    python -m tests.problems.seed_runner PROBLEM CASES RESULTS LIBRARY...

CASES is a pickled list of (case, arrays); RESULTS becomes, per library, one dict of written arrays per case.
"""

from __future__ import annotations

import ctypes
import mmap
import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from qdkernel.core import Array, ArrayArgument, Kind, Problem, parse_prototype
from qdkernel.problems import find_problem

PADDING = -12345.0
PROT_NONE, PROT_READ = 0, 1

Results = list[dict[str, Array]]


class Slot(ctypes.Union):
    _fields_ = [
        ("i", ctypes.c_int32),
        ("l", ctypes.c_int64),
        ("f", ctypes.c_float),
        ("d", ctypes.c_double),
        ("p", ctypes.c_void_p),
    ]


MEMBER = {Kind.INT32: "i", Kind.INT64: "l", Kind.FLOAT32: "f", Kind.FLOAT64: "d", Kind.POINTER: "p"}


class Guarded:
    """A copy of an array, with its strides, that ends with its page; read-only when asked."""

    def __init__(self, values: Array, strides: tuple[int, ...], readonly: bool) -> None:
        spans = [(extent - 1) * abs(stride) for extent, stride in zip(values.shape, strides, strict=True)]
        elements = sum(spans) + 1 if values.size else 0
        pages = -(-elements * values.itemsize // mmap.PAGESIZE)
        self.map = mmap.mmap(-1, (pages + 1) * mmap.PAGESIZE)
        start = pages * mmap.PAGESIZE - elements * values.itemsize
        self.flat = np.frombuffer(self.map, values.dtype, elements, start)
        self.flat[:] = PADDING
        first = sum(span for span, stride in zip(spans, strides, strict=True) if stride < 0) if elements else 0
        in_bytes = tuple(stride * values.itemsize for stride in strides)
        self.logical = np.lib.stride_tricks.as_strided(self.flat[first:], values.shape, in_bytes)
        self.logical[...] = values
        base = ctypes.addressof(ctypes.c_char.from_buffer(self.map))
        self.address = base + start
        libc = ctypes.CDLL(None, use_errno=True)
        page = ctypes.c_void_p(base + pages * mmap.PAGESIZE)
        assert libc.mprotect(page, mmap.PAGESIZE, PROT_NONE) == 0
        if readonly and pages:
            assert libc.mprotect(ctypes.c_void_p(base), pages * mmap.PAGESIZE, PROT_READ) == 0
        self.shape = values.shape

    def result(self) -> Array:
        """A copy of the logical array, after checking that the padding is as it was."""
        copy = np.array(self.logical) if self.flat.size else np.empty(self.shape, self.flat.dtype)
        if self.flat.size:
            self.logical[...] = PADDING
        assert np.all(self.flat == PADDING), "the kernel wrote into the padding of a row"
        return copy


def run(library: ctypes.CDLL, problem: Problem, case: Mapping[str, Any], arrays: Mapping[str, Array]) -> dict[str, Any]:
    parameters = parse_prototype(problem.prototype).parameters
    slots = (Slot * len(parameters))()
    guarded: dict[str, Guarded] = {}
    for slot, argument, parameter in zip(slots, problem.arguments, parameters, strict=True):
        value: int | float
        if isinstance(argument, ArrayArgument):
            unwritten = np.full(argument.shape(case), PADDING, problem.dtype_of(argument))
            values = arrays[argument.name] if argument.is_read else unwritten
            guarded[argument.name] = Guarded(values, argument.strides_of(case), not argument.is_written)
            value = guarded[argument.name].address
        else:
            value = case[argument.name]
        setattr(slot, MEMBER[parameter.kind], value)
    library.qd_test_call(slots)
    return {a.name: guarded[a.name].result() for a in problem.arrays if a.is_written}


def main(problem_name: str, cases_file: str, results_file: str, *libraries: str) -> None:
    problem = find_problem(problem_name)
    cases = pickle.loads(Path(cases_file).read_bytes())
    results: list[Results] = []
    for path in libraries:
        library = ctypes.CDLL(path)
        results.append([run(library, problem, case, arrays) for case, arrays in cases])
    Path(results_file).write_bytes(pickle.dumps(results))


if __name__ == "__main__":
    main(*sys.argv[1:])
