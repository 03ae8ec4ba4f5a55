"""Cases for the calls that a kernel is not timed with: sizes, scalars and strides drawn beside the scored ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from qdkernel.core import Case, Problem

_GROWTH = 37  # more than any common tile of registers, less than most of the caches
_PADDING = 9  # elements behind a row, at most


def near_case(problem: Problem, size: Mapping[str, int], rng: np.random.Generator) -> Case:
    """A case whose extents are each 1 to 37 above those of ``size``, an eighth at most, with other scalars.

    They are odd where that leaves a choice: remainders of every tile and vector occur.
    """
    return respelled_case(problem, {name: _grown(extent, rng) for name, extent in size.items()}, rng)


def smaller_case(problem: Problem, size: Mapping[str, int], rng: np.random.Generator) -> Case:
    """A case with extents anywhere from 1 to those of ``size``, with other scalars.

    The least order of magnitude is drawn first: all extents may be large, or they may differ greatly.
    """
    least = rng.uniform()
    drawn = {name: round(extent ** rng.uniform(least, 1.0)) for name, extent in size.items()}
    return respelled_case(problem, drawn, rng)


def _grown(extent: int, rng: np.random.Generator) -> int:
    larger = range(extent + 1, extent + max(1, min(_GROWTH, extent // 8)) + 1)
    odd = [other for other in larger if other % 2]
    return int(rng.choice(odd or larger))


def respelled_case(problem: Problem, size: Mapping[str, int], rng: np.random.Generator) -> Case:
    """A case of exactly this size, with padded rows, vectors that may be reversed, and scalars of a verified case."""
    if problem.respell is not None:
        return problem.respell(size, rng)
    case = dict(problem.scored_case(size))
    strides = {name: len(argument.strides) for argument in problem.arrays for name in argument.strides if name}
    for name, dimensions in strides.items():
        if dimensions > 1:
            case[name] += int(rng.integers(1, _PADDING, endpoint=True))
        else:
            case[name] *= int(rng.choice((-1, 1)))
    free = [name for name in case if name not in strides and name not in problem.size_names]
    verified = [other for other, _ in problem.verify_cases(rng) if all(other[name] != 0 for name in free)]
    unusual = [other for other in verified if any(other[name] != case[name] for name in free)] or verified
    chosen = unusual[rng.integers(len(unusual))]
    return case | {name: chosen[name] for name in free}
