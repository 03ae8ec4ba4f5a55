"""Input families that any floating-point array can be filled by, and how a problem makes its own from them.

A family makes one kind of wrong or cheaper arithmetic visible. A problem declares a mapping from names to families,
usually by ``shared_families``, and adds those that only make sense for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from qdkernel.core import Array, ArrayArgument, Case, InputFamily
from qdkernel.errors import unknown
from qdkernel.problems.slabs import by_slabs, num_shares

Shape = tuple[int, ...]
Fill = Callable[[np.dtype[Any], Shape, np.random.Generator], Array]
"""``fill(dtype, shape, rng)``: an array of a floating-point dtype."""

Finish = Callable[[Case, dict[str, Array], np.random.Generator], None]
"""``finish(case, arrays, rng)``: changes arrays in place, e.g. sets to NaN what a kernel must not read."""

_SPECIAL = (np.nan, np.inf, -np.inf)
_LARGEST_INTEGER = 1 << 10  # sums of thousands of products by small integers are exact in float32


def uniform(dtype: np.dtype[Any], shape: Shape, rng: np.random.Generator) -> Array:
    """Values in (-1, 1)."""
    values = np.empty(shape, dtype)
    flat = values.reshape(-1)
    rngs = [rng]
    for _ in range(1, num_shares(flat.size)):
        rngs.append(np.random.Generator(np.random.SFC64(rng.integers(1 << 63, size=3))))

    def fill(slab: slice, share: int) -> None:
        part = flat[slab]
        rngs[share].random(out=part, dtype=dtype.type)
        part *= 2
        part -= 1

    by_slabs(flat.shape, fill)
    return values


def integers(dtype: np.dtype[Any], shape: Shape, rng: np.random.Generator) -> Array:
    """Integers up to 1024 in magnitude, of which sums and products are exact: any lower precision shows."""
    return np.asarray(rng.integers(-_LARGEST_INTEGER, _LARGEST_INTEGER, shape, endpoint=True)).astype(dtype)


def graded(dtype: np.dtype[Any], shape: Shape, rng: np.random.Generator) -> Array:
    """Values in (-1, 1), those at one position of the outermost dimension scaled by a common power of ten.

    The scales spread over most of the dtype's digits, so an error that is small beside the largest value shows.
    """
    values = uniform(dtype, shape, rng)
    decades = 12 if dtype.itemsize == 8 else 5
    values *= (10.0 ** rng.uniform(-decades, 0, (*shape[:1], *(1 for _ in shape[1:])))).astype(dtype)
    return values


def impulse(dtype: np.dtype[Any], shape: Shape, rng: np.random.Generator) -> Array:
    """One value that is not 0, off the edges of dimensions longer than 2.

    A value taken from the wrong place shows as something where an exact 0 belongs.
    """
    values = uniform(dtype, shape, rng)
    if values.size:
        at = tuple(int(rng.integers(1, extent - 1)) if extent > 2 else int(rng.integers(extent)) for extent in shape)
        kept = values[at]
        values.fill(0)
        values[at] = kept
    return values


def subnormal(dtype: np.dtype[Any], shape: Shape, rng: np.random.Generator) -> Array:
    """Values below the normal range, which a flush-to-zero mode loses."""
    return np.asarray(np.ldexp(uniform(dtype, shape, rng), np.finfo(dtype).minexp - 10))


def special(dtype: np.dtype[Any], shape: Shape, rng: np.random.Generator) -> Array:
    """Values in (-1, 1), a NaN and both infinities, which must spread exactly as far as IEEE 754 demands."""
    values = uniform(dtype, shape, rng)
    if values.size:
        values[tuple(rng.integers(0, extent, len(_SPECIAL)) for extent in shape)] = _SPECIAL if shape else _SPECIAL[0]
    return values


FAMILIES: Mapping[str, Fill] = {
    "uniform": uniform,
    "integers": integers,
    "graded": graded,
    "impulse": impulse,
    "subnormal": subnormal,
    "special": special,
}
"""The shared families by name."""


def shared_families(
    dtype: np.dtype[Any],
    arguments: Sequence[ArrayArgument],
    names: Sequence[str] = tuple(FAMILIES),
    finish: Finish | None = None,
) -> dict[str, InputFamily]:
    """Input families that fill every array a kernel may read independently of the others.

    Index arrays get values drawn evenly from 0 .. bound - 1, arrays of other integers from -1024 .. 1024.

    Args:
        dtype: the problem's, for arguments that declare none.
        arguments: arguments of the problem; those that are only written are passed over.
        names: of ``FAMILIES``.
        finish: called with the arrays of each family.

    Raises:
        UnknownName: a name is not in ``FAMILIES``; the message lists the known ones.
    """
    for name in names:
        if name not in FAMILIES:
            raise unknown("shared input family", name, FAMILIES)
    read = tuple(argument for argument in arguments if argument.is_read)

    def family(fill: Fill) -> InputFamily:
        def make(case: Case, rng: np.random.Generator) -> dict[str, Array]:
            arrays = {argument.name: _filled(fill, argument, argument.dtype or dtype, case, rng) for argument in read}
            if finish is not None:
                finish(case, arrays, rng)
            return arrays

        return make

    return {name: family(FAMILIES[name]) for name in names}


def _filled(fill: Fill, argument: ArrayArgument, dtype: np.dtype[Any], case: Case, rng: np.random.Generator) -> Array:
    shape = argument.shape(case)
    if argument.index_bound is not None:
        return np.asarray(rng.integers(0, max(1, argument.index_bound(case)), shape, dtype))
    return (integers if dtype.kind == "i" else fill)(dtype, shape, rng)
