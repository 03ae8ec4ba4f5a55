"""Results that a problem's checks must refuse, made from its declaration without running any kernel."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from qdkernel.core import Array, Arrays, Case, Expected, Problem
from qdkernel.evaluators.pipeline.verification import VerificationSuite
from qdkernel.evaluators.sandbox import Region

Results = dict[str, Array]
Damage = Callable[[int, Case, Results, Arrays], Results]
"""``damage(index, case, right, before)``: what a kernel leaves after a call instead of the right results."""


def rounded(expected: Mapping[str, Expected], before: Arrays, problem: Problem) -> Results:
    """The results of a kernel that is as accurate as its dtype allows; unspecified elements keep what they hold."""
    results = {}
    for argument in problem.arrays:
        if argument.is_written:
            answer, dtype = expected[argument.name], problem.dtype_of(argument)
            start = before.get(argument.name, np.zeros(np.shape(answer.value), dtype))
            with np.errstate(invalid="ignore", over="ignore"):  # casts of NaN, and of what is unspecified
                results[argument.name] = np.where(np.isinf(answer.magnitude), start, answer.value).astype(dtype)
    return results


class JudgedResults:
    """A verification suite whose output file is filled as a kernel would have done.

    Args:
        problem: what is computed.
        rng: draws cases and inputs.

    Attributes:
        before: what the arrays of each call hold before it.
        right: what a right kernel leaves, call by call.
    """

    def __init__(self, problem: Problem, rng: np.random.Generator) -> None:
        self.problem, self._rng = problem, rng
        self.suite = VerificationSuite(problem, rng)
        self.suite.reset()
        self.before = [self._copies(index) for index in range(len(self.suite.layout.calls))]
        calls = self.suite.layout.calls
        self.right = [
            rounded(problem.reference(call.case, before), before, problem)
            for call, before in zip(calls, self.before, strict=True)
        ]

    def complaint(self, damage: Damage | None = None) -> str | None:
        """The judge's complaint about the right results after ``damage``; ``None`` when it accepts them."""
        self.suite.reset()
        for index, call in enumerate(self.suite.layout.calls):
            results = dict(self.right[index])
            if damage is not None:
                results = damage(index, call.case, results, self.before[index])
            self.write(index, results)
        return self.suite.judge().complaint

    def write(self, index: int, results: Mapping[str, Array]) -> None:
        """What a kernel leaves after a call."""
        for placed in self.suite.layout.calls[index].arrays:
            if placed.region is Region.OUTPUT:
                self.suite.layout.view(self.suite.outputs, placed)[...] = results[placed.argument.name]

    def stale(self, index: int, case: Case, right: Results, before: Arrays) -> Results:
        """The results of other inputs."""
        other = self.problem.make_inputs("uniform", case, self._rng)
        return rounded(self.problem.reference(case, other), other, self.problem)

    def _copies(self, index: int) -> Results:
        files = {Region.INPUT: self.suite.inputs, Region.OUTPUT: self.suite.outputs}
        placed = self.suite.layout.calls[index].arrays
        return {p.argument.name: self.suite.layout.view(files[p.region], p).copy() for p in placed}


def untouched(index: int, case: Case, right: Results, before: Arrays) -> Results:
    """What was there before the call."""
    return {name: before[name] for name in right}


def constant(value: int) -> Damage:
    """The same number everywhere."""
    return lambda index, case, right, before: {name: np.full_like(array, value) for name, array in right.items()}


def last_element_skipped(index: int, case: Case, right: Results, before: Arrays) -> Results:
    """One call in three leaves the last element that it should change as it was."""
    return right if index % 3 else _without_last(right, before)


def wrong_at_odd_sizes(size_names: Sequence[str]) -> Damage:
    """Calls of an odd size leave the last element that they should change as it was."""

    def damage(index: int, case: Case, right: Results, before: Arrays) -> Results:
        return _without_last(right, before) if any(case[name] % 2 for name in size_names) else right

    return damage


def lower_precision(index: int, case: Case, right: Results, before: Arrays) -> Results:
    """Floating-point results with half of their digits."""
    with np.errstate(over="ignore"):
        return {name: _halved(array) for name, array in right.items()}


def _halved(array: Array) -> Array:
    if array.dtype.kind != "f":
        return array
    kept = np.finfo(array.dtype).nmant // 2
    fraction, exponent = np.frexp(array)
    return np.where(np.isfinite(array), np.ldexp(np.round(np.ldexp(fraction, kept)), exponent - kept), array).astype(
        array.dtype
    )


def _without_last(right: Results, before: Arrays) -> Results:
    damaged = {name: array.copy() for name, array in right.items()}
    for name, array in damaged.items():
        changed = np.flatnonzero(array != before[name])
        if changed.size:
            array.reshape(-1)[changed[-1]] = before[name].reshape(-1)[changed[-1]]
    return damaged
