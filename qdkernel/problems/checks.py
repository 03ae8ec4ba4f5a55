"""Cheap secret checks of timed calls that several problems share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from qdkernel.core import Array, Arrays, Case, Expected

DEVIATIONS = 8.0
"""Standard deviations that a randomly weighted sum of errors may reach: more have a probability of 2.5e-14.

By Hoeffding's inequality a sum of errors e with independent symmetric weights below 1 exceeds ``s ||e||_2`` with
probability ``2 exp(-s^2 / 2)`` at most.
"""

Reference = Callable[[Case, Arrays], dict[str, Expected]]


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


def comparison(
    reference: Reference,
) -> tuple[
    Callable[[Case, Arrays, np.random.Generator], dict[str, Expected]],
    Callable[[Case, Arrays, Mapping[str, Expected], float], float],
]:
    """Sketch and sketch error of a problem that compares every element, for references about as cheap as a call.

    Args:
        reference: expected contents for finite inputs. It may compute in the problem's own precision, as its rounding
            errors are allowed for: the error limit should then include them.

    Returns:
        ``sketch`` and ``sketch_error`` for a ``Problem``.
    """

    def sketch(case: Case, arrays: Arrays, rng: np.random.Generator) -> dict[str, Expected]:
        return reference(case, arrays)

    def sketch_error(case: Case, arrays: Arrays, expected: Mapping[str, Expected], limit: float) -> float:
        return max((_error(arrays[name], answer, limit) for name, answer in expected.items()), default=0.0)

    return sketch, sketch_error


def _error(result: Array, expected: Expected, limit: float) -> float:
    """Largest error in units of ``limit * eps * magnitude``; integers must be equal."""
    if result.dtype.kind != "f":
        return 0.0 if np.array_equal(result, expected.value) else math.inf
    with np.errstate(over="ignore", invalid="ignore"):  # a wrong result may hold anything
        difference = np.abs(result - expected.value)
        specified = np.isfinite(expected.magnitude)
        if not np.all(specified):
            difference = np.where(specified, difference, 0)
        return largest_ratio(difference, limit * float(np.finfo(result.dtype).eps) * expected.magnitude)
