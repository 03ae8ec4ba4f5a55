"""A problem: what is computed, declared as data plus at most a few functions.

The evaluator uses nothing of a particular problem beyond these declarations, so a new problem is one file in
``problems/<family>/``, its C in ``seeds/`` beside it, and a line in the registry.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qdkernel.core.problem.array_call import within_bound
from qdkernel.errors import unknown


def size_text(size: Mapping[str, int]) -> str:
    """A size for people, e.g. ``m=512 n=512 k=512``."""
    return " ".join(f"{name}={value}" for name, value in size.items())


Array = NDArray[Any]  # Any: problems differ in dtype

Case = Mapping[str, int | float]
"""Every scalar argument of one call by name, strides included."""

Arrays = Mapping[str, Array]
"""The array arguments of one call by name, in their logical shape (no padding)."""


class Role(enum.Enum):
    """What a kernel may do with an array argument."""

    IN = "in"
    """Read only; mapped read-only in the contained child."""
    INOUT = "inout"
    """Read and written."""
    OUT = "out"
    """Written only: filled with poison before the call, and every element must be written."""


@dataclass(frozen=True)
class Scalar:
    """A scalar argument; its value is ``case[name]``."""

    name: str


@dataclass(frozen=True)
class ArrayArgument:
    """An array argument of 0 to 4 dimensions, row major; 0 is a single value passed by pointer.

    Attributes:
        name: the parameter's name in the prototype.
        role: what the kernel may do with it.
        shape: logical extents for a case, outermost first, e.g. (rows, columns).
        strides: per dimension, the name of the scalar that holds its stride in elements, or ``None`` where the
            dimension is contiguous: the stride is then that of the next dimension times its extent. Empty when all
            dimensions are contiguous. ``("lda", None)`` is a matrix with padded rows, ``("incx",)`` a BLAS vector.
            A stride is not 0; as in the BLAS a negative one means that the pointer is to the last element.
        dtype: of the elements; ``None`` for the problem's own.
        index_bound: for an index array, the number of positions it may refer to in a case: its values lie in
            0 .. bound - 1. ``None`` for other arrays.
    """

    name: str
    role: Role
    shape: Callable[[Case], tuple[int, ...]]
    strides: tuple[str | None, ...] = ()
    dtype: np.dtype[Any] | None = None
    index_bound: Callable[[Case], int] | None = None

    @property
    def is_read(self) -> bool:
        """Whether its contents at the time of the call mean anything."""
        return self.role is not Role.OUT

    @property
    def is_written(self) -> bool:
        """Whether the kernel writes it."""
        return self.role is not Role.IN

    def strides_of(self, case: Case) -> tuple[int, ...]:
        """Elements from one position to the next along each dimension, outermost first."""
        extents = self.shape(case)
        found: list[int] = []
        inner = 1
        for extent, name in zip(reversed(extents), reversed(self.strides or (None,) * len(extents)), strict=True):
            found.append(int(case[name]) if name else inner)
            inner = abs(found[-1]) * extent
        return tuple(reversed(found))


@dataclass(frozen=True)
class Expected:
    """What a written array must hold after a call.

    Attributes:
        value: logical shape, in higher precision than the problem's dtype; NaN means the result must be NaN.
        magnitude: same shape: an error up to ``error_limit * eps * magnitude`` is rounding. 0 demands the exact
            value, as integers do in any case; infinity leaves the element unspecified (scratch).
    """

    value: Array
    magnitude: Array


InputFamily = Callable[[Case, np.random.Generator], dict[str, Array]]
"""``family(case, rng)``: the contents of every array that a kernel may read, by name, in its logical shape."""


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
class Signature:
    """A C function and what its arguments are.

    Attributes:
        name: the function's name, and the problem's.
        prototype: the C declaration; parsed with cffi and force-included into every kernel.
        dtype: of the arithmetic: floating-point scalars and all arrays that declare no other.
        arguments: scalars and arrays in the prototype's order.
    """

    name: str
    prototype: str
    dtype: np.dtype[Any]
    arguments: tuple[Scalar | ArrayArgument, ...]

    @property
    def arrays(self) -> tuple[ArrayArgument, ...]:
        """The array arguments, in the prototype's order."""
        return tuple(a for a in self.arguments if isinstance(a, ArrayArgument))

    def dtype_of(self, argument: ArrayArgument) -> np.dtype[Any]:
        """The dtype of an array argument."""
        return self.dtype if argument.dtype is None else argument.dtype


@dataclass(frozen=True)
class Problem(Signature):
    """What is computed.

    Functions of a case get every scalar argument by name. Those that judge are secret from the kernel: they run in the
    parent, which draws all inputs and weights from a generator that the contained child never sees.

    Attributes:
        summary: one sentence.
        size_names: the scalars that make up a scored size, e.g. ``("m", "n", "k")``.
        size_from_int: the size meant by a single number in a configuration, e.g. 512 -> m = n = k = 512.
        scored_case: the full case timed for a size.
        verify_cases: (case, family) pairs for the correctness step: small, odd and padded ones.
        families: the input families by name. Each makes the logical arrays of a case, all but those with ``Role.OUT``;
            arrays that are also written get their initial contents, and NaN marks contents a kernel must not read.
            Timed calls use ``uniform``; ``verify_cases`` draws all of them.
        reference: the expected contents of every written array, computed independently in higher precision.
        sketch: a cheap secret summary of the right answer, taken *before* a timed call from its inputs.
        sketch_error: how far the arrays after the call are from the sketch, in units of the error that ``error_limit``,
            its last argument, allows; above 1 is wrong.
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
        contract: what honest kernels fail on first, as a sentence for complaints; may be empty.
        texts: C files that are not in ``folder`` but derived, e.g. a seed in another precision, by name.
        respell: a call of exactly a scored size, but with other scalars and strides, drawn from a generator; ``None``
            where scalars and strides can be chosen independently of one another.
    """

    summary: str
    size_names: tuple[str, ...]
    size_from_int: Callable[[int], dict[str, int]]
    scored_case: Callable[[Mapping[str, int]], dict[str, int | float]]
    verify_cases: Callable[[np.random.Generator], Sequence[tuple[Case, str]]]
    families: Mapping[str, InputFamily]
    reference: Callable[[Case, Arrays], dict[str, Expected]]
    sketch: Callable[[Case, Arrays, np.random.Generator], Any]  # Any: private to the problem
    sketch_error: Callable[[Case, Arrays, Any, float], float]
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
    contract: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    respell: Callable[[Mapping[str, int], np.random.Generator], Case] | None = None

    def make_inputs(self, family: str, case: Case, rng: np.random.Generator) -> dict[str, Array]:
        """The arrays of a case for an input family, by name; arrays with ``Role.OUT`` have no entry.

        Raises:
            UnknownName: no such family; the message lists the known ones.
            ValueError: the family made arrays other than those declared; the message names the first difference.
        """
        if family not in self.families:
            raise unknown(f"input family of {self.name}", family, self.families)
        arrays = self.families[family](case, rng)
        for argument in self.arrays:
            if argument.is_read:
                self._check_input(argument, arrays.get(argument.name), family, case)
        return arrays

    def _check_input(self, argument: ArrayArgument, array: Array | None, family: str, case: Case) -> None:
        wanted = (argument.shape(case), self.dtype_of(argument))
        got = None if array is None else (array.shape, array.dtype)
        where = f"problem {self.name!r}, input family {family!r}: {argument.name}"
        if got != wanted or array is None:
            raise ValueError(
                f"{where} should have shape and dtype {wanted}, got {got}; change the family or the argument"
            )
        if argument.index_bound is not None and not within_bound(array, argument.index_bound(case)):
            raise ValueError(
                f"{where} should hold values from 0 to {argument.index_bound(case) - 1}, "
                f"got {array.min()} to {array.max()}; change the family or the bound"
            )

    def seed_source(self, file: str) -> str:
        """The text of one of the problem's own C files."""
        if file in self.texts:
            return self.texts[file]
        return (self.folder / file).read_text(encoding="utf-8")
