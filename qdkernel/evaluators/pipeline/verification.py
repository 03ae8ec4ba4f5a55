"""Verification of a kernel: many small calls in the contained child, judged here against an independent reference."""

from __future__ import annotations

import bisect
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from qdkernel.core import Array, Case, Problem
from qdkernel.evaluators.sandbox import BufferAlignment, Layout, MemoryFile, PlacedArray, PlacedCall, Region, poison


@dataclass(frozen=True)
class Verdict:
    """The result of a comparison: ``complaint`` is ``None`` for a correct kernel.

    ``error_ratio`` is the largest error of an element in units of ``eps * magnitude``, the measure of the Netlib
    Level-3 BLAS tests (Dongarra et al. 1990, sec. 4).
    """

    complaint: str | None
    error_ratio: float


class VerificationSuite:
    """The cases a kernel must get right, with the answers; made once per worker.

    Kernels can read everything that is drawn for it, so the generator is used for nothing else.

    Everything in the input file that is not an input is NaN or the largest integer, everything in the output file that
    is not an output is a canary, so reads and writes beside the arrays are detected. Arrays that are only written hold
    poison before the call, so an element that is left out is detected.

    Args:
        problem: what is computed.
        rng: seeded for this suite alone; draws sizes, inputs, poison and canaries.
    """

    def __init__(self, problem: Problem, rng: np.random.Generator) -> None:
        self.problem = problem
        cases = problem.verify_cases(rng)
        placings = itertools.cycle((BufferAlignment.BACK, BufferAlignment.FRONT, BufferAlignment.SHIFTED))
        self.layout = Layout(problem, [(case, placing) for (case, _), placing in zip(cases, placings, strict=False)])
        self.inputs = MemoryFile("verify-inputs", self.layout.input_bytes)
        self.outputs = MemoryFile("verify-outputs", self.layout.output_bytes)
        for dtype, span in self.layout.ranges(Region.INPUT):
            self.inputs.bytes[span].view(dtype)[:] = np.nan if dtype.kind == "f" else np.iinfo(dtype).max
        ranges = self.layout.ranges(Region.OUTPUT)
        self._images = [_Image(self.outputs.bytes, dtype, span, problem.error_limit, rng) for dtype, span in ranges]
        for call, (case, family) in zip(self.layout.calls, cases, strict=True):
            self._write_case(call, case, family, rng)
        for image in self._images:
            image.complete()
        self._initial = self.outputs.bytes.copy()
        written = [
            (call, array) for call in self.layout.calls for array in call.arrays if array.region is Region.OUTPUT
        ]
        self._written = sorted(written, key=lambda each: each[1].file_offset)

    def reset(self) -> None:
        """Puts the initial contents back into the output file."""
        self.outputs.bytes[:] = self._initial

    def results(self) -> Array:
        """The bytes of the whole output file, a copy; 0 where a kernel may leave any value."""
        contents = self.outputs.bytes.copy()
        for image in self._images:
            image.clear_unspecified(contents)
        return contents

    def judge(self) -> Verdict:
        """Compares the whole output file, padding and surroundings included, with what it must hold."""
        worst = 0.0
        for image in self._images:
            wrong, num_wrong, error_ratio = image.compare()
            if wrong is not None:
                return Verdict(self._complain(image, wrong, num_wrong), float("inf"))
            worst = max(worst, error_ratio)
        return Verdict(None, worst)

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
            if placed.argument.is_read:
                file = self.inputs if placed.region is Region.INPUT else self.outputs
                self.layout.view(file, placed)[...] = arrays[placed.argument.name]
        expected = self.problem.reference(case, arrays)
        for placed in call.arrays:
            if placed.region is Region.INPUT or placed.num_elements == 0:
                continue
            answer = expected[placed.argument.name]
            image = next(image for image in self._images if image.holds(placed))
            image.expect(placed, answer.value, answer.magnitude)
            if not placed.argument.is_read:
                poisoned = self.layout.view(self.outputs, placed)
                poisoned[...] = poison(placed.dtype, rng)
                if (
                    placed.dtype.kind == "f"
                ):  # where NaN is the right result, NaN would not show that nothing was written
                    poisoned[np.isnan(np.broadcast_to(answer.value, placed.shape))] = rng.uniform(1.0, 2.0)

    def _complain(self, image: _Image, index: int, num_wrong: int) -> str:
        at = image.start + index * image.dtype.itemsize
        call, array = self._written[bisect.bisect_right(self._written, at, key=lambda each: each[1].file_offset) - 1]
        element = (at - array.start) // array.dtype.itemsize
        name, got = array.argument.name, image.flat[index]
        position = array.position(element) if 0 <= element < array.num_elements else None
        if position is not None:
            place = f"[{', '.join(map(str, position))}]" if position else ""
            what = f"{name}{place} is {_number(got)} and should be {_number(image.wanted(index))}"
        elif 0 <= element < array.num_elements:
            what = f"the padding of {name} {_between(array, element)} was written"
        else:
            what = f"memory beside {name} ({' x '.join(map(str, array.shape)) or 'one value'}) was written"
        more = f" (about {num_wrong} elements are wrong in all cases together)" if num_wrong > 1 else ""
        told = np.issubdtype(type(got), np.floating) and np.isnan(got) and self.problem.contract
        return f"{what}{more} in case {_words(call.case)}" + (f"; {self.problem.contract}" if told else "")


class _Image:
    """What the part of the output file that holds arrays of one dtype must hold after the calls.

    Attributes:
        dtype: of the elements.
        start: first byte of the part.
        flat: the part as it is now, a view.
    """

    def __init__(
        self, file: Array, dtype: np.dtype[Any], span: slice, error_limit: float, rng: np.random.Generator
    ) -> None:
        self.dtype = dtype
        self.start: int = span.start
        self.flat: Array = file[span].view(dtype)
        self._span = span
        self._limit = error_limit
        if dtype.kind == "f":
            self.flat[:] = rng.uniform(1.0, 2.0, self.flat.size)  # canaries
        else:
            self.flat[:] = rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, self.flat.size, dtype)
        self._value = self.flat.astype(np.longdouble)
        self._magnitude = np.zeros(self.flat.size, np.longdouble)  # 0: exact, as canaries must be

    def holds(self, placed: PlacedArray) -> bool:
        """Whether an array lies in this part."""
        return placed.file_offset in range(self._span.start, self._span.stop)

    def expect(self, placed: PlacedArray, value: Array, magnitude: Array) -> None:
        """Enters what an array must hold, in its logical shape."""
        first = (placed.start - self.start) // self.dtype.itemsize
        elements = slice(first, first + placed.num_elements)
        placed.logical(self._value[elements])[...] = value
        placed.logical(self._magnitude[elements])[...] = magnitude if self.dtype.kind == "f" else _exact(magnitude)

    def complete(self) -> None:
        """Prepares the comparisons when every array was entered."""
        self._free = np.flatnonzero(np.isinf(self._magnitude))
        self._rounded = self._value.astype(self.dtype)
        if self.dtype.kind != "f":
            return
        eps, tiny = np.finfo(self.dtype).eps, np.finfo(self.dtype).tiny
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            unit = (eps * self._magnitude).astype(self.dtype)
            self._surely_right = (self._limit - 1) * unit
            # The inverse of a subnormal unit is not finite; such elements are judged, but enter no statistic.
            self._per_unit = np.where((unit >= tiny) & np.isfinite(unit), 1 / unit, 0)
        self._of_class = np.flatnonzero(~np.isfinite(self._rounded))

    def clear_unspecified(self, contents: Array) -> None:
        """Sets what a kernel may leave with any value to 0 in a copy of the file."""
        contents[self._span].view(f"u{self.dtype.itemsize}")[self._free] = 0

    def wanted(self, index: int) -> Any:
        """The expected value of an element."""
        return self._value[index] if self.dtype.kind == "f" else self._rounded[index]

    def compare(self) -> tuple[int | None, int, float]:
        """(index of the first wrong element, number of doubtful ones, largest error in units)."""
        if self.dtype.kind != "f":
            unequal = self.flat != self._rounded
            unequal[self._free] = False
            found = np.flatnonzero(unequal)
            return (int(found[0]) if found.size else None), found.size, 0.0
        with np.errstate(invalid="ignore", over="ignore"):
            error = np.abs(self.flat - self._rounded)
            # In the problem's own precision first: the expected value's rounding is half a unit at most.
            right = error <= self._surely_right
            right[self._of_class] = _same_class(self.flat[self._of_class], self._rounded[self._of_class])
            right[self._free] = True
            doubtful = np.flatnonzero(~right)
            wrong = next((int(i) for i in doubtful if not self._is_right(int(i))), None)
            ratios = error * self._per_unit
            worst = float(np.max(ratios, where=np.isfinite(ratios), initial=0.0))
        return wrong, doubtful.size, worst

    def _is_right(self, index: int) -> bool:
        """The exact rule for one element."""
        got, wanted, magnitude = np.longdouble(self.flat[index]), self._value[index], self._magnitude[index]
        if np.isinf(magnitude) or got == wanted or (np.isnan(got) and np.isnan(wanted)):
            return True
        unit = np.finfo(self.dtype).eps * magnitude
        return bool(abs(got - wanted) <= self._limit * unit)


def _same_class(result: Array, expected: Array) -> Array:
    """Where ``result`` is the NaN or the infinity that ``expected`` is."""
    same: Array = (result == expected) | (np.isnan(result) & np.isnan(expected))
    return same


def _exact(magnitude: Array) -> Array:
    """A magnitude for integers, which have no rounding errors: 0, or infinity where any value will do."""
    return np.where(np.isinf(magnitude), np.inf, 0.0)


def _number(value: Any) -> str:
    return f"{value}" if np.issubdtype(type(value), np.integer) else f"{float(value):.17g}"


def _between(array: PlacedArray, element: int) -> str:
    """Where an element between those of an array lies."""
    if len(array.shape) != 2:
        return f"({element} elements behind its first)"
    row, column = divmod(element, array.strides[0])
    return f"behind row {row} (column {column} of {array.shape[1]})"


def _words(case: Case) -> str:
    return ", ".join(f"{name}={value:g}" for name, value in case.items())
