"""Proving a kernel correct: many small calls in the contained child, judged here against an independent reference."""

from __future__ import annotations

import bisect
import itertools
from dataclasses import dataclass

import numpy as np

from qdkernel.core import Array, Case, Problem, Role
from qdkernel.evaluators.sandbox import BufferAlignment, Layout, MemoryFile, PlacedArray, PlacedCall


@dataclass(frozen=True)
class Verdict:
    """What the judge found: ``complaint`` is ``None`` for a correct kernel.

    ``error_ratio`` is the largest error of an element in units of ``eps * magnitude``, the measure of the Netlib
    Level-3 BLAS tests (Dongarra et al. 1990, sec. 4).
    """

    complaint: str | None
    error_ratio: float


class VerificationSuite:
    """The cases a kernel must get right, with the answers; made once per worker from a secret generator.

    Everything in the input file that is not an input is NaN, everything in the output file that is not an output is
    a canary: what a kernel reads or writes beside its arrays shows.

    Args:
        problem: what is computed.
        rng: secret; the child never sees it.
    """

    def __init__(self, problem: Problem, rng: np.random.Generator) -> None:
        self.problem = problem
        cases = problem.verify_cases(rng)
        placings = itertools.cycle((BufferAlignment.BACK, BufferAlignment.FRONT, BufferAlignment.SHIFTED))
        self.layout = Layout(problem, [(case, placing) for (case, _), placing in zip(cases, placings, strict=False)])
        self.inputs = MemoryFile("verify-inputs", self.layout.input_bytes)
        self.outputs = MemoryFile("verify-outputs", self.layout.output_bytes)
        self._inputs_flat[:] = np.nan
        self._flat[:] = rng.uniform(1.0, 2.0, self._flat.size)  # canaries
        self._value = self._flat.astype(np.longdouble)
        self._magnitude = np.zeros(self._flat.size, np.longdouble)  # 0: exact, as canaries must be
        for call, (case, family) in zip(self.layout.calls, cases, strict=True):
            self._write_case(call, case, family, rng)
        self._rounded = self._value.astype(problem.dtype)
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            unit = (np.finfo(problem.dtype).eps * self._magnitude).astype(problem.dtype)
            self._surely_right = (problem.error_limit - 1) * unit
            # The inverse of a subnormal unit is not finite; such elements are judged, but enter no statistic.
            self._per_unit = np.where((unit >= np.finfo(problem.dtype).tiny) & np.isfinite(unit), 1 / unit, 0)
        self._of_class = np.flatnonzero(~np.isfinite(self._rounded))
        self._free = np.flatnonzero(np.isinf(self._magnitude))
        self._initial = self.outputs.bytes.copy()
        self._starts, self._placed = self._index_outputs()

    @property
    def _flat(self) -> Array:
        return self.outputs.bytes.view(self.problem.dtype)

    @property
    def _inputs_flat(self) -> Array:
        return self.inputs.bytes.view(self.problem.dtype)

    def reset(self) -> None:
        """Puts the initial contents back into the output file."""
        self.outputs.bytes[:] = self._initial

    def results(self) -> Array:
        """The bits of the whole output file, a copy; 0 where a kernel may leave what it likes."""
        bits = self._flat.view(f"u{self.problem.dtype.itemsize}").copy()
        bits[self._free] = 0
        return bits

    def judge(self) -> Verdict:
        """Compares the whole output file, padding and surroundings included, with what it must hold."""
        with np.errstate(invalid="ignore", over="ignore"):
            error = np.abs(self._flat - self._rounded)
            # In the problem's own precision first: the expected value's rounding is half a unit at most.
            right = error <= self._surely_right
            right[self._of_class] = _same_class(self._flat[self._of_class], self._rounded[self._of_class])
            right[self._free] = True
            doubtful = np.flatnonzero(~right)
            wrong = next((int(i) for i in doubtful if not self._is_right(int(i))), None)
            ratios = error * self._per_unit
            worst = float(np.max(ratios, where=np.isfinite(ratios), initial=0.0))
        if wrong is not None:
            return Verdict(self._complain(wrong, doubtful.size), float("inf"))
        return Verdict(None, worst)

    def _is_right(self, index: int) -> bool:
        """The exact rule for one element."""
        got, wanted, magnitude = np.longdouble(self._flat[index]), self._value[index], self._magnitude[index]
        if np.isinf(magnitude) or got == wanted or (np.isnan(got) and np.isnan(wanted)):
            return True
        unit = np.finfo(self.problem.dtype).eps * magnitude
        return bool(abs(got - wanted) <= self.problem.error_limit * unit)

    def describe_case(self, index: int) -> str:
        """The case of a call in words, for messages."""
        return _words(self.layout.calls[min(index, len(self.layout.calls) - 1)].case)

    def close(self) -> None:
        """Gives the memory back."""
        self.inputs.close()
        self.outputs.close()

    def _write_case(self, call: PlacedCall, case: Case, family: str, rng: np.random.Generator) -> None:
        arrays = self.problem.make_inputs(family, case, rng)
        for placed in call.arrays:
            file = self.inputs if placed.argument.role is Role.IN else self.outputs
            self.layout.view(file, placed)[...] = arrays[placed.argument.name]
        expected = self.problem.reference(case, arrays)
        for placed in call.arrays:
            if placed.argument.role is Role.IN or placed.num_elements == 0:
                continue
            answer = expected[placed.argument.name]
            self._span(self._value, placed)[...] = answer.value
            self._span(self._magnitude, placed)[...] = answer.magnitude

    def _span(self, flat: Array, placed: PlacedArray) -> Array:
        """The part of a flat image of the output file that stands for an array, in its logical shape."""
        itemsize = self.problem.dtype.itemsize
        start = (placed.file_offset + placed.segment_offset) // itemsize
        strides = (placed.stride * flat.itemsize, flat.itemsize)
        part = flat[start : start + placed.num_elements]
        return np.lib.stride_tricks.as_strided(part, shape=placed.shape, strides=strides)

    def _index_outputs(self) -> tuple[list[int], list[tuple[PlacedCall, PlacedArray]]]:
        placed = [(call, array) for call in self.layout.calls for array in call.arrays if array.region == 1]
        return [array.file_offset // self.problem.dtype.itemsize for _, array in placed], placed

    def _complain(self, index: int, num_wrong: int) -> str:
        call, array = self._placed[bisect.bisect_right(self._starts, index) - 1]
        element = index - (array.file_offset + array.segment_offset) // self.problem.dtype.itemsize
        row, column = divmod(element, array.stride) if array.stride else (0, element)
        rows, columns = array.shape
        name, got = array.argument.name, self._flat[index]
        more = f" (about {num_wrong} elements are wrong in all cases together)" if num_wrong > 1 else ""
        if 0 <= element < array.num_elements and column < columns:
            wanted = self._value[index]
            what = f"{name}[{row}, {column}] is {got:.17g} and should be {float(wanted):.17g}"
        elif 0 <= element < array.num_elements:
            what = f"the padding of {name} behind row {row} (column {column} of {columns}) was written"
        else:
            what = f"memory beside {name} ({rows} x {columns}) was written"
        return f"{what}{more} in case {_words(call.case)}"


def _same_class(result: Array, expected: Array) -> Array:
    """Where ``result`` is the NaN or the infinity that ``expected`` is."""
    same: Array = (result == expected) | (np.isnan(result) & np.isnan(expected))
    return same


def _words(case: Case) -> str:
    return ", ".join(f"{name}={value:g}" for name, value in case.items())
