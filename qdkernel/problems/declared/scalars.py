"""The calls of a declared problem: extents, other scalars, strides, and the calls that kernels must get right."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qdkernel.core import ArrayArgument, Case
from qdkernel.errors import ConfigError
from qdkernel.problems.declared.declaration import Declaration, SizeEntry
from qdkernel.problems.declared.formula import Formula

# Around the SIMD widths (2 to 16 elements), unrolled loops, common tiles and powers of two, and larger primes.
_EXTENTS = (0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 15, 16, 17, 23, 24, 25, 31, 32, 33, 41, 47, 48, 63, 64, 65, 97, 101, 127,
            128, 129, 251, 257, 509, 1000, 1021, 2049, 4099, 16411, 70001)  # fmt: skip
_INCREMENTS = (1, 1, 2, -1, 1, 3, 1, -2)  # of vectors
_PADDING = (0, 3, 0, 1, 8, 5)  # elements behind a row
_LEAST_CASES = 44
_DRAWN_CASES = 6
_WORK = 2e5  # operations and bytes / 8 of one case: its reference takes a few ms
_LARGEST_DRAWN = 60

Numbers = dict[str, int | float]


@dataclass(frozen=True)
class Calls:
    """Makes the calls of a declared problem.

    Attributes:
        declaration: of the problem.
        arrays: its array arguments.
        work: operations and elements of a call, by which the size of verified calls is limited.
    """

    declaration: Declaration
    arrays: tuple[ArrayArgument, ...]
    work: Formula

    @property
    def size_names(self) -> tuple[str, ...]:
        """The scalars that make up a size."""
        return tuple(self.declaration.sizes)

    @cached_property
    def stride_names(self) -> dict[str, int]:
        """The scalars that hold strides, with the dimensions of their arrays."""
        return {name: len(array.strides) for array in self.arrays for name in array.strides if name}

    @cached_property
    def _choices(self) -> dict[str, list[int | float]]:
        return {name: list(given) for name, given in self.declaration.scalars.items() if isinstance(given, list)}

    @cached_property
    def _formulas(self) -> dict[str, Formula]:
        given = self.declaration.scalars.items()
        return {name: Formula(text, f"scalars.{name}") for name, text in given if not isinstance(text, list)}

    def size_from_int(self, number: int) -> dict[str, int]:
        """The size that a single number in a configuration means."""
        size = {}
        for name, entry in self.declaration.sizes.items():
            extent = int(Formula(entry.number, f"sizes.{name}.number")({"size": number}))
            size[name] = max((value for value in entry.values if value <= extent), default=max(extent, entry.least))
        return size

    def scored(self, size: Mapping[str, int]) -> Numbers:
        """The timed call: the first of each scalar's values, arrays without gaps."""
        return self._completed({**size, **{name: values[0] for name, values in self._choices.items()}})

    def respelled(self, size: Mapping[str, int], rng: np.random.Generator) -> Case:
        """A call of a size that is not verified as such, with other strides and at least one other scalar, if any."""
        extents = {name: max([v for v in e.values if v <= size[name]], default=size[name])
                   for name, e in self.declaration.sizes.items()}  # fmt: skip
        chosen = {name: int(rng.integers(len(values))) for name, values in self._choices.items()}
        several = [name for name, values in self._choices.items() if len(values) > 1]
        if several and not any(chosen.values()):
            changed = several[rng.integers(len(several))]
            chosen[changed] = int(rng.integers(1, len(self._choices[changed])))
        return self._completed({**extents, **{name: self._choices[name][at] for name, at in chosen.items()}}, rng)

    def verified(self, rng: np.random.Generator) -> list[tuple[Case, str]]:
        """(case, family) pairs: every extent that is cheap enough, every combination of integer scalars."""
        integers = [name for name, values in self._choices.items() if all(isinstance(v, int) for v in values)]
        others = [name for name in self._choices if name not in integers]
        combinations = list(itertools.product(*(self._choices[name] for name in integers)))
        mixed = np.random.default_rng(len(combinations))  # the same cases for everybody, but for those drawn
        families = itertools.cycle(self.declaration.families)
        cases: list[tuple[Case, str]] = []
        sizes = self._sizes(max(_LEAST_CASES, 3 * len(combinations)), mixed, rng)
        for at, size in enumerate(sizes):
            scalars = dict(zip(integers, combinations[at % len(combinations)], strict=True))
            scalars |= {name: self._choices[name][int(mixed.integers(len(self._choices[name])))] for name in others}
            size = self._cheap(size, scalars)
            cases.append((self._completed({**size, **scalars}, mixed if at else None), next(families)))
        return cases

    def _sizes(self, count: int, mixed: np.random.Generator, rng: np.random.Generator) -> Iterator[dict[str, int]]:
        """``count`` sizes whose extents take all values in turn, and a few drawn from ``rng``."""
        rooms = {name: _room(entry) for name, entry in self.declaration.sizes.items()}
        turns = {name: _in_turn(room, mixed if len(rooms) > 1 else None) for name, room in rooms.items()}
        for _ in range(count):
            yield {name: next(turn) for name, turn in turns.items()}
        for _ in range(_DRAWN_CASES):
            yield {
                name: int(rng.choice(room) if entry.values else rng.integers(max(1, entry.least), _LARGEST_DRAWN))
                for (name, entry), room in zip(self.declaration.sizes.items(), rooms.values(), strict=True)
            }

    def _cheap(self, size: dict[str, int], scalars: Numbers) -> dict[str, int]:
        """The size with its longest extents lowered until a call with these scalars is cheap enough."""
        rooms = {name: _room(entry) for name, entry in self.declaration.sizes.items()}
        while self.work(self._completed({**size, **scalars})) > _WORK:
            lower = {name: [v for v in room if v < size[name]] for name, room in rooms.items()}
            longest = max((name for name in size if lower[name]), key=lambda name: size[name], default=None)
            if longest is None:
                break
            size = {**size, longest: lower[longest][-1]}
        return size

    def _completed(self, chosen: Numbers, rng: np.random.Generator | None = None) -> Numbers:
        """All scalars of a call in the prototype's words: formulas, and strides with gaps drawn from ``rng``."""
        case: Numbers = dict(chosen)
        for name, formula in self._formulas.items():
            case[name] = _number(formula(case), formula)
        for array in self.arrays:
            inner = 1
            for extent, stride in zip(reversed(array.shape(case)), reversed(array.strides), strict=False):
                if stride:
                    case[stride] = self._stride(inner, array, rng)
                inner = abs(int(case[stride])) * extent if stride else inner * extent
        return case

    def _stride(self, inner: int, array: ArrayArgument, rng: np.random.Generator | None) -> int:
        if len(array.strides) == 1:
            increment = 1 if rng is None else int(rng.choice(_INCREMENTS))
            return abs(increment) if self.declaration.arrays[array.name].ascending else increment
        return max(1, inner) + (0 if rng is None else int(rng.choice(_PADDING)))


def _room(entry: SizeEntry) -> list[int]:
    """The extents that a kernel must be right for, in ascending order."""
    return sorted({*(entry.values or (entry.least, *(extent for extent in _EXTENTS if extent > entry.least)))})


def _in_turn(room: list[int], mixed: np.random.Generator | None) -> Iterator[int]:
    """The extents one after another without end, each time in another order if a generator is given."""
    while True:
        yield from room if mixed is None else mixed.permutation(room).tolist()


def _number(value: object, formula: Formula) -> int | float:
    number = float(value)  # type: ignore[arg-type]  # what a formula gives is checked here
    if not math.isfinite(number):
        raise ConfigError(f"{formula.what}: expected a finite number, {formula.text} is {number}; change the formula")
    return int(number) if number == int(number) else number
