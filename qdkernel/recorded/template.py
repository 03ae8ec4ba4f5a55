"""A schedule template that stays within a recorded space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic

import numpy as np

from qdkernel.core import Cell
from qdkernel.mutators import Brief
from qdkernel.mutators.schedule import ScheduleTemplate
from qdkernel.recorded.space import G, Space


class RecordedTemplate(Generic[G]):
    """A template whose genomes are moved to the nearest configuration; see ``ScheduleTemplate`` for the methods.

    Args:
        template: prints and moves genomes.
        space: whose genomes there are.
    """

    def __init__(self, template: ScheduleTemplate[G], space: Space[G]) -> None:
        self._template = template
        self._space = space
        self._nearest: dict[G, G] = {}
        self._sources: dict[G, str] = {}

    def fresh(self, brief: Brief, rng: np.random.Generator) -> G:
        """The template's, moved into the space."""
        return self._moved(self._template.fresh(brief, rng))

    def mutate(self, genome: G, brief: Brief, rng: np.random.Generator) -> G:
        """A neighbour; moves that lead back to the genome's own configuration are repeated."""
        while (child := self._moved(self._template.mutate(genome, brief, rng))) == genome:
            pass
        return child

    def cross(self, one: G, other: G, brief: Brief, rng: np.random.Generator) -> G:
        """The template's, moved into the space."""
        return self._moved(self._template.cross(one, other, brief, rng))

    def reaches(self, cell: Cell) -> bool:
        """As the template itself."""
        return self._template.reaches(cell)

    def towards(self, genome: G, target: Cell, brief: Brief, rng: np.random.Generator) -> G:
        """The template's, moved into the space; the target is a cell of the space."""
        return self._moved(self._template.towards(genome, target, brief, rng))

    def cell_of(self, genome: G) -> Cell:
        """The predicted cell."""
        return self._template.cell_of(genome)

    def print(self, genome: G) -> str:
        """The kernel as C."""
        if genome not in self._sources:
            self._sources[genome] = self._template.print(genome)
        return self._sources[genome]

    def with_constants(self, genome: G, values: Mapping[str, str]) -> G | None:
        """The template's, moved into the space."""
        child = self._template.with_constants(genome, values)
        return None if child is None else self._moved(child)

    def to_json(self, genome: G) -> dict[str, Any]:  # Any: JSON values
        """Plain JSON values."""
        return self._template.to_json(genome)

    def from_json(self, values: Mapping[str, Any]) -> G:  # Any: JSON values
        """The inverse of ``to_json``."""
        return self._template.from_json(values)

    def summary(self, genome: G) -> str:
        """The genome in one line."""
        return self._template.summary(genome)

    def difference(self, before: G, after: G) -> str:
        """What changed and why, in one line."""
        return self._template.difference(before, after)

    def _moved(self, genome: G) -> G:
        if genome not in self._nearest:
            self._nearest[genome] = self._space.genome(self._space.named(self._space.nearest(genome)))
        return self._nearest[genome]
