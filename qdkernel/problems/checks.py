"""Cheap secret checks of timed calls that several problems share."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from qdkernel.core import Array, Arrays, Case, Expected
from qdkernel.problems.slabs import slabs

DEVIATIONS = 8.0
"""Standard deviations that a randomly weighted sum of errors may reach: more have a probability of 2.5e-14.

By Hoeffding's inequality a sum of errors e with independent symmetric weights below 1 exceeds ``s ||e||_2`` with
probability ``2 exp(-s^2 / 2)`` at most.
"""

_PART_ELEMENTS = 1 << 15

Reference = Callable[[Case, Arrays], dict[str, Expected]]
Sketch = Callable[[Case, Arrays, np.random.Generator], Arrays]
SketchError = Callable[[Case, Arrays, Arrays, float], float]


def random_weights(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float64]:
    """Weights with random signs and magnitudes in [1/2, 1): equal errors do not cancel, and none is weighted by 0."""
    weights: NDArray[np.float64] = rng.uniform(0.5, 1.0, shape) * rng.choice((-1.0, 1.0), shape)
    return weights


def largest_ratio(difference: Array, allowed: Array | float) -> float:
    """Largest ``difference / allowed``: a difference of 0 is right also where 0 is allowed, NaN gives ``inf``.

    Args:
        difference: magnitudes of differences.
        allowed: the largest ones that rounding explains, of a shape that broadcasts.
    """
    if not np.all(np.isfinite(difference)):
        return math.inf
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return float(np.where(difference == 0, 0.0, difference / allowed).max(initial=0.0))


def comparison(reference: Reference, own_error: float = 0.0, elementwise: bool = False) -> tuple[Sketch, SketchError]:
    """Sketch and sketch error of a problem that compares every element, for references about as cheap as a call.

    The sketch keeps the inputs of the call, and the reference is computed from them after it.

    Args:
        reference: expected contents of the written arrays. It may compute in the problem's own precision.
        own_error: largest error of the reference, in units of ``eps * magnitude``; it is allowed for on top of the
            problem's error limit.
        elementwise: whether all arrays have one shape and each element of a result depends only on the inputs' elements
            at the same position: the reference is then called with parts that fit into a cache.

    Returns:
        ``sketch`` and ``sketch_error`` for a ``Problem``.
    """

    def sketch(case: Case, arrays: Arrays, rng: np.random.Generator) -> Arrays:
        return arrays

    def sketch_error(case: Case, arrays: Arrays, before: Arrays, limit: float) -> float:
        worst = 0.0
        for part in _parts(next(iter(arrays.values()))) if elementwise else [...]:
            expected = reference(case, {name: array[part] for name, array in before.items()})
            errors = (_error(arrays[name][part], answer, limit + own_error) for name, answer in expected.items())
            worst = max(worst, *errors)
        return worst

    return sketch, sketch_error


def _parts(array: Array) -> Iterator[slice]:
    """Slices of the outermost dimension, of some 256 KiB of doubles."""
    return slabs(range(len(array)), math.prod(array.shape[1:]), _PART_ELEMENTS)


def _error(result: Array, expected: Expected, limit: float) -> float:
    """Largest error in units of ``limit * eps * magnitude``; integers, NaN and infinities must be equal."""
    value, magnitude = np.atleast_1d(expected.value), np.atleast_1d(expected.magnitude)
    result = np.atleast_1d(result)
    errors = (_error_of_part(result[part], value[part], magnitude[part], limit) for part in _parts(result))
    return max(errors, default=0.0)


def _error_of_part(result: Array, value: Array, magnitude: Array, limit: float) -> float:
    free = np.isinf(magnitude)
    with np.errstate(over="ignore", invalid="ignore"):  # a wrong result may hold anything
        equal = (result == value) | free
        if result.dtype.kind != "f":
            return 0.0 if equal.all() else math.inf
        equal |= np.isnan(result) & np.isnan(value)
        difference = np.where(equal, 0.0, np.abs(result - value))
        return largest_ratio(difference, limit * float(np.finfo(result.dtype).eps) * magnitude)
