"""A family of loop nests as a schedule template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from qdkernel.core import Cell
from qdkernel.mutators.contract import Brief
from qdkernel.mutators.schedule.choices import BLOCKINGS, changed
from qdkernel.mutators.schedule.families import ideas, moves
from qdkernel.mutators.schedule.families.family import Family
from qdkernel.mutators.schedule.families.genome import Genome, cell_of, repaired
from qdkernel.mutators.schedule.families.style import print_kernel


@dataclass(frozen=True)
class FamilyTemplate:
    """The template of one problem of a family; see ``ScheduleTemplate`` for the methods."""

    family: Family

    def fresh(self, brief: Brief, rng: np.random.Generator) -> Genome:
        """The widest vectors, equal shares for the threads, and any blocking that the family has."""
        return moves.fresh(moves.context_of(brief, self.family), rng)

    def mutate(self, genome: Genome, brief: Brief, rng: np.random.Generator) -> Genome:
        """A neighbour: one choice changed, sometimes two or three."""
        return moves.mutated(genome, moves.context_of(brief, self.family), rng)

    def cross(self, one: Genome, other: Genome, brief: Brief, rng: np.random.Generator) -> Genome:
        """A child that has each group of choices from one of two genomes."""
        return moves.crossed(one, other, moves.context_of(brief, self.family), rng)

    def reaches(self, cell: Cell) -> bool:
        """Whether the loop nest has the blocking of the cell; without arithmetic the lowest level of it and of SIMD."""
        if not self.family.arithmetic:
            return cell.blocking == cell.simd == 0
        return BLOCKINGS[cell.blocking] in self.family.blockings

    def towards(self, genome: Genome, target: Cell, brief: Brief, rng: np.random.Generator) -> Genome:
        """The genome with the choices changed that make it aim at ``target``."""
        return moves.towards(genome, target, moves.context_of(brief, self.family), rng)

    def cell_of(self, genome: Genome) -> Cell:
        """The predicted cell."""
        return cell_of(genome, self.family)

    def print(self, genome: Genome) -> str:
        """The kernel as C."""
        return print_kernel(genome, self.family)

    def with_constants(self, genome: Genome, values: Mapping[str, str]) -> Genome | None:
        """The genome whose printed constants (TILE, PARTS, NEAR, ...) have these values."""
        child = changed(genome, {name.lower(): int(text) for name, text in values.items()})
        return child if repaired(child, self.family) == child else None

    def to_json(self, genome: Genome) -> dict[str, Any]:  # Any: JSON values
        """Plain JSON values."""
        return genome.to_json()

    def from_json(self, values: Mapping[str, Any]) -> Genome:  # Any: JSON values
        """The inverse of ``to_json``."""
        return Genome.from_json(values)

    def summary(self, genome: Genome) -> str:
        """The genome in one line."""
        return ideas.technique(genome)

    def difference(self, before: Genome, after: Genome) -> str:
        """What changed and why, in one line."""
        return ideas.difference(before, after)
