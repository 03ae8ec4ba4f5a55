"""A finite space of configurations: named parameters, their values, and the combinations that there are."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np

from qdkernel.core import Array

G = TypeVar("G")

Value = int | str
Configuration = tuple[Value, ...]
"""One value per parameter, in the order of the space's parameters."""

_KEPT = 1e6  # distance of another value of a parameter that is kept: more than all others together


@dataclass(frozen=True)
class Space(Generic[G]):
    """Some of the genomes of a schedule template.

    Attributes:
        problem: whose template it is.
        parameters: the values of each parameter; numbers ascend and are positive.
        valid: whether a combination of values belongs to the space.
        genome: that of a configuration; valid, and another for each configuration.
        values: what a genome would have for each parameter, whether or not the parameter has that value.
        kept: parameters that decide the cell; ``nearest`` changes them last.
    """

    problem: str
    parameters: Mapping[str, tuple[Value, ...]]
    valid: Callable[[Mapping[str, Value]], bool]
    genome: Callable[[Mapping[str, Value]], G]
    values: Callable[[G], Mapping[str, Value]]
    kept: frozenset[str] = frozenset()

    @cached_property
    def configurations(self) -> tuple[Configuration, ...]:
        """All configurations, the last parameter varying fastest."""
        combinations = itertools.product(*self.parameters.values())
        return tuple(values for values in combinations if self.valid(self.named(values)))

    def named(self, configuration: Configuration) -> dict[str, Value]:
        """The values by name."""
        return dict(zip(self.parameters, configuration, strict=True))

    def nearest(self, genome: G) -> Configuration:
        """The configuration with the least distance to a genome, the first of several.

        Numbers are as far apart as their ratio in powers of two; other values differ by 1 or not at all.
        """
        wanted = self.values(genome)
        distance = np.zeros(len(self.configurations))
        for name, column in self._columns.items():
            value = wanted[name]
            apart = np.abs(np.log2(column / value)) if isinstance(value, int) else (column != value).astype(float)
            distance += _KEPT * apart if name in self.kept else apart
        return self.configurations[int(np.argmin(distance))]

    @cached_property
    def _columns(self) -> Mapping[str, Array]:
        return {
            name: np.array(column)
            for name, column in zip(self.parameters, zip(*self.configurations, strict=True), strict=True)
        }
