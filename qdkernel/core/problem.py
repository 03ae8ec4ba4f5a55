"""A problem: what is computed, declared as data plus at most a few functions.

The evaluator knows nothing about any particular problem beyond what stands here, so a new problem is one file in
``problems/`` and its seed kernels.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def size_text(size: Mapping[str, int]) -> str:
    """A size for people, e.g. ``m=512 n=512 k=512``."""
    return " ".join(f"{name}={value}" for name, value in size.items())


Array = NDArray[Any]  # Any: problems differ in dtype

Case = Mapping[str, int | float]
"""Every scalar argument of one call by name, leading dimensions included."""

Arrays = Mapping[str, Array]
"""The array arguments of one call by name, in their logical shape (no padding)."""


class Role(enum.Enum):
    """What a kernel may do with an array argument."""

    IN = "in"
    """Read only; mapped read-only in the contained child."""
    INOUT = "inout"
    """Read and written."""


@dataclass(frozen=True)
class Scalar:
    """A scalar argument; its value is ``case[name]``."""

    name: str


@dataclass(frozen=True)
class ArrayArgument:
    """An array argument, row major.

    Attributes:
        name: the parameter's name in the prototype.
        role: what the kernel may do with it.
        shape: logical (rows, columns) for a case.
        leading: name of the scalar that holds the row stride in elements; ``None`` for contiguous rows.
    """

    name: str
    role: Role
    shape: Callable[[Case], tuple[int, int]]
    leading: str | None = None


@dataclass(frozen=True)
class Expected:
    """What a written array must hold after a call.

    Attributes:
        value: logical shape, in higher precision than the problem's dtype; NaN means the result must be NaN.
        magnitude: same shape: an error up to ``error_limit * eps * magnitude`` is rounding. 0 demands the exact
            value, infinity leaves the element unspecified (scratch).
    """

    value: Array
    magnitude: Array


@dataclass(frozen=True)
class LibraryBaseline:
    """A vendor library called through a small trusted adapter.

    Attributes:
        adapter: C file in the problem's folder that defines the problem's function by calling ``QD_SYMBOL``.
        symbol: default value of ``QD_SYMBOL`` for the pinned OpenBLAS package.
    """

    adapter: str
    symbol: str


@dataclass(frozen=True)
class KernelBaseline:
    """A plain hand-written kernel, ``<folder>/<file>``, compiled with the run's flags."""

    file: str


@dataclass(frozen=True)
class Problem:
    """What is computed.

    Attributes:
        name: the C function's name and the problem's.
        summary: one sentence.
        prototype: the C declaration; parsed with cffi and force-included into every kernel.
        dtype: of the arrays and floating-point scalars.
        arguments: scalars and arrays in the prototype's order.
        size_names: the scalars that make up a scored size, e.g. ``("m", "n", "k")``.
        size_from_int: the size meant by a single number in a configuration, e.g. 512 -> m = n = k = 512.
        scored_case: the full case timed for a size.
        verify_cases: (case, family) pairs for the correctness step: small, odd and padded ones.
        make_inputs: logical arrays of a case for an input family; written arrays get their initial contents. NaN
            marks contents a kernel must not read.
        reference: the expected contents of every written array, computed independently in higher precision.
        sketch: a cheap secret summary of the right answer, taken *before* a timed call from its inputs.
        sketch_error: how far the arrays after the call are from the sketch; above 1 is wrong.
        flops: floating-point operations of a case by the field's convention.
        bytes: bytes a case streams by the field's convention (what GB/s means).
        least_bytes: bytes that any implementation must move through memory at least once.
        folder: where the problem's C files are.
        seeds: seed kernels in ``folder``; the first is the naive one.
        baseline: what kernels are measured against.
        default_sizes: scored sizes used for ``sizes: auto``, from the last-level cache size in bytes.
        least_flops: operations that the most frugal admitted algorithm needs; ``None`` for ``flops`` themselves.
        nest_depth: loops in the textbook implementation's nest; tiling shows as a deeper one.
        error_limit: largest accepted error in units of ``eps * magnitude``.
        error_words: what an error is relative to, for models.
        normwise: the same problem judged by a looser rule that fast algorithms can meet; ``None`` when there is none.
        bandwidth_bound: views report GB/s and the share of triad beside GFLOP/s.
    """

    name: str
    summary: str
    prototype: str
    dtype: np.dtype[Any]
    arguments: tuple[Scalar | ArrayArgument, ...]
    size_names: tuple[str, ...]
    size_from_int: Callable[[int], dict[str, int]]
    scored_case: Callable[[Mapping[str, int]], dict[str, int | float]]
    verify_cases: Callable[[np.random.Generator], Sequence[tuple[Case, str]]]
    make_inputs: Callable[[str, Case, np.random.Generator], dict[str, Array]]
    reference: Callable[[Case, Arrays], dict[str, Expected]]
    sketch: Callable[[Case, Arrays, np.random.Generator], Any]  # Any: private to the problem
    sketch_error: Callable[[Case, Arrays, Any], float]
    flops: Callable[[Case], float]
    bytes: Callable[[Case], float]
    least_bytes: Callable[[Case], float]
    folder: Path
    seeds: tuple[str, ...]
    baseline: LibraryBaseline | KernelBaseline
    default_sizes: Callable[[int], list[dict[str, int]]]
    nest_depth: int
    error_limit: float = 16.0  # the Netlib Level-3 BLAS tests' threshold (Dongarra et al. 1990, sec. 4)
    error_words: str = "the sum of the magnitudes of its terms"
    least_flops: Callable[[Case], float] | None = None
    normwise: Problem | None = None
    bandwidth_bound: bool = False

    @property
    def arrays(self) -> tuple[ArrayArgument, ...]:
        """The array arguments, in the prototype's order."""
        return tuple(a for a in self.arguments if isinstance(a, ArrayArgument))

    def seed_source(self, file: str) -> str:
        """The text of one of the problem's own C files."""
        return (self.folder / file).read_text(encoding="utf-8")
