"""Genomes as points: one feature for each choice, and how far two genomes are apart in each."""

from __future__ import annotations

import functools
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qdkernel.core import Array

Genome = Mapping[str, Any]  # Any: JSON values

_NUMBER = -1  # code of every number; those of other values are not negative
_MISSING = 0  # code of a choice that a genome does not have, and of empty text


@dataclass(frozen=True)
class Points:
    """Genomes by features.

    The distance in a feature is that of the logarithms for two numbers, 0 or 1 for two other values, and for a number
    and another value 1 and the logarithm. So distances are those of points in a space with the 1-norm, and covariances
    that fall off exponentially with them are positive definite.

    Attributes:
        numbers: (genomes, features) logarithms; 0 for other values.
        codes: (genomes, features) of other values; the same for all numbers.
    """

    numbers: Array
    codes: Array

    def __len__(self) -> int:
        return len(self.numbers)

    def latest(self, count: int) -> Points:
        """The last of the genomes, up to so many."""
        return Points(self.numbers[-count:], self.codes[-count:])

    def and_then(self, other: Points) -> Points:
        """These genomes and others that follow, which may have more features."""
        more = ((0, 0), (0, other.numbers.shape[1] - self.numbers.shape[1]))
        numbers, codes = np.pad(self.numbers, more), np.pad(self.codes, more, constant_values=_MISSING)
        return Points(np.concatenate((numbers, other.numbers)), np.concatenate((codes, other.codes)))

    def distances(self, other: Points, feature: int) -> Array:
        """(genomes, others) in one feature."""
        apart = np.abs(self.numbers[:, None, feature] - other.numbers[None, :, feature])
        differ = self.codes[:, None, feature] != other.codes[None, :, feature]
        distances: Array = apart + differ
        return distances

    def covariance(self, other: Points, weights: Array) -> Array:
        """(genomes, others) ``exp(-sum_f w_f d_f)`` over the features ``f``."""
        total = np.zeros((len(self), len(other)))
        for feature in np.flatnonzero(weights):
            total += weights[feature] * self.distances(other, int(feature))
        np.exp(np.negative(total, out=total), out=total)
        return total


class Features:
    """The features of the genomes seen so far, each with its column, in the order in which they were first seen."""

    def __init__(self) -> None:
        self._columns: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._columns)

    @property
    def by_name(self) -> list[int]:
        """The columns in the order of the features' names."""
        return [self._columns[name] for name in sorted(self._columns)]

    def learn(self, genome: Genome) -> None:
        """Adds a column for each choice that no genome had so far."""
        for name, _ in _choices(genome):
            self._columns.setdefault(name, len(self._columns))

    def points(self, genomes: Sequence[Genome]) -> Points:
        """The genomes as points; choices without a column are left out."""
        numbers = [[0.0] * len(self) for _ in genomes]
        codes = [[_MISSING] * len(self) for _ in genomes]
        for row, genome in enumerate(genomes):
            for name, value in _choices(genome):
                if (column := self._columns.get(name)) is None:
                    continue
                if isinstance(value, int | float) and not isinstance(value, bool):
                    numbers[row][column] = math.copysign(math.log2(1 + abs(value)), value)
                    codes[row][column] = _NUMBER
                else:
                    codes[row][column] = _code(str(value))
        return Points(np.array(numbers), np.array(codes))


def _choices(genome: Genome, prefix: str = "") -> Iterator[tuple[str, Any]]:  # Any: JSON values
    """Name and value of each choice, those of nested ones with the names above them."""
    for name, value in genome.items():
        if isinstance(value, Mapping):
            yield from _choices(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


@functools.cache  # a genome's values are from short lists
def _code(text: str) -> int:
    return zlib.crc32(text.encode())
