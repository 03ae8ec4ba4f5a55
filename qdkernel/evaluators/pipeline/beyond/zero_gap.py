"""A call into which zeros can be put: arrays without a row stride then reach past 2^31 elements with little memory.

A small call has zeros in the middle of one extent. More zeros are put in there until an array has more than 2^31
elements. In most problems without a row stride (stencils, batches, products of a matrix and a vector) that leaves the
results as they are, and puts zeros between them. Whether it does is computed by the problem's own reference, with
few zeros put in. So the expected results are those of the small call.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from qdkernel.core import Array, ArrayArgument, Arrays, Case, Problem, check_prototype
from qdkernel.core.problem import Kind
from qdkernel.errors import ConfigError
from qdkernel.evaluators.measurement import respelled_case
from qdkernel.evaluators.sandbox import ZeroGapLayout, lengthened

FAR = 1 << 31
"""Elements: the first offset that a 32-bit integer does not hold."""

_LONGEST = (1 << 31) - 1  # of an extent of type int
_SMALL = ((32, (8, 12)), (16, (2, 3)))  # an extent with zeros in its middle half, and the range of the others
_FEW = 7  # zeros put in to find out what they change
_MOST_WORK = 2e11  # operations: about as many as a naive kernel does in a minute


@dataclass(frozen=True)
class ZeroGap:
    """A call into which zeros can be put.

    Attributes:
        problem: whose call it is.
        size: of the small call.
        extent: the name of the extent that becomes longer.
        arrays: of the small call; zero in the middle half of each dimension that becomes longer.
    """

    problem: Problem
    size: dict[str, int]
    extent: str
    arrays: Arrays

    @property
    def small(self) -> Case:
        """The small call."""
        return self.problem.scored_case(self.size)

    def large(self, extent: int) -> Case:
        """The call with zeros put in."""
        return self.problem.scored_case({**self.size, self.extent: extent})

    @property
    def at(self) -> int:
        """The position along each such dimension before which the zeros are put in."""
        return self.size[self.extent] // 2

    def layout(self, extent: int) -> ZeroGapLayout:
        """Of the call with zeros put in."""
        return ZeroGapLayout(self.problem, self.small, self.large(extent), self.at)

    def least(self, elements: float) -> int | None:
        """The least extent with which an array has more elements; ``None`` where that does not fit into an int."""
        low = high = self.size[self.extent]
        while longest_array(self.problem, self.large(high)) <= elements:
            if not _fits(self.problem, self.large(high)):
                return None
            low, high = high, 2 * high
        while low + 1 < high:
            middle = (low + high) // 2
            low, high = (middle, high) if longest_array(self.problem, self.large(middle)) <= elements else (low, middle)
        return high if _fits(self.problem, self.large(high)) else None


def find_zero_gap(problem: Problem, rng: np.random.Generator) -> ZeroGap | str:
    """The call, or the reason why there is none."""
    reason = f"no array of {problem.name} can have so many, as its extents are of type int"
    for extent, others in _SMALL:
        found = []
        for gap in _candidates(problem, extent, others, rng):
            far = gap.least(FAR)
            if far is None:
                continue
            if (work := problem.flops(gap.large(far))) > _MOST_WORK:
                reason = f"a call of {problem.name} with arrays so long has {work:.0e} operations"
            elif not _zeros_change_nothing(gap):
                reason = f"zeros between the rows of an array change the results of {problem.name}"
            else:
                found.append(gap)
        if found:
            return min(found, key=_far_bytes)
    return reason


def _candidates(problem: Problem, extent: int, others: tuple[int, int], rng: np.random.Generator) -> Iterator[ZeroGap]:
    """Calls with one extent of ``extent``, zeros in its middle, and the others of a range."""
    for name in problem.size_names:
        size = {other: int(rng.integers(*others, endpoint=True)) for other in problem.size_names} | {name: extent}
        allowed = respelled_case(problem, size, rng)  # e.g. powers of two only
        if allowed[name] != extent:
            continue
        size = {each: int(allowed[each]) for each in size}
        small, longer = (problem.scored_case({**size, name: each}) for each in (extent, extent + 1))
        arrays = problem.make_inputs("uniform", small, rng)
        for argument in problem.arrays:
            if argument.is_read:
                grows = np.subtract(argument.shape(longer), argument.shape(small)) > 0
                _clear_middle(arrays[argument.name], grows, extent)
        yield ZeroGap(problem, size, name, arrays)


def _fits(problem: Problem, case: Case) -> bool:
    """Whether every scalar of type int can have its value."""
    scalars = zip(problem.arguments, check_prototype(problem).parameters, strict=True)
    return all(case[scalar.name] <= _LONGEST for scalar, parameter in scalars if parameter.kind is Kind.INT32)


def _far_bytes(gap: ZeroGap) -> int:
    return gap.layout(gap.least(FAR) or 0).num_bytes


def _clear_middle(array: Array, grows: Array, extent: int) -> None:
    for dimension in np.flatnonzero(grows):
        np.moveaxis(array, dimension, 0)[extent // 4 : extent - extent // 4] = 0


def longest_array(problem: Problem, case: Case) -> int:
    """Elements from the first to the last of the longest array of a call."""
    spans = []
    for argument in problem.arrays:
        steps = zip(argument.shape(case), argument.strides_of(case), strict=True)
        spans.append(1 + sum((extent - 1) * abs(stride) for extent, stride in steps))
    return max(spans)


def _zeros_change_nothing(gap: ZeroGap) -> bool:
    """Whether a few zeros put in leave the results as they are, and put zeros between them."""
    problem, small, large = gap.problem, gap.small, gap.large(gap.size[gap.extent] + _FEW)
    for argument in problem.arrays:
        more = np.subtract(argument.shape(large), argument.shape(small))
        if argument.index_bound is not None or not np.all((more == 0) | (more == _FEW)):
            return False

    def places(argument: ArrayArgument) -> tuple[Array, ...]:
        return np.ix_(*lengthened(argument.shape(small), argument.shape(large), gap.at))

    longer = {}
    for argument in problem.arrays:
        if argument.is_read:
            longer[argument.name] = np.zeros(argument.shape(large), problem.dtype_of(argument))
            longer[argument.name][places(argument)] = gap.arrays[argument.name]
    try:
        before, after = problem.reference(small, gap.arrays), problem.reference(large, longer)
    except ConfigError:  # a user's reference that fails on zeros
        return False
    for argument in problem.arrays:
        if argument.is_written:
            old, new, at = before[argument.name], after[argument.name], places(argument)
            rounding = np.finfo(problem.dtype).eps * np.asarray(old.magnitude)
            between = np.array(new.value)
            between[at] = 0
            same = np.all(np.abs(np.asarray(new.value)[at] - old.value) <= rounding)
            if not same or np.any(between) or not np.all(np.isfinite(new.magnitude)):
                return False
    return True
