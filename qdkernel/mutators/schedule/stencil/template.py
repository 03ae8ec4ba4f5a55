"""Star stencils as a schedule template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from qdkernel.core import Cell
from qdkernel.mutators.contract import Brief
from qdkernel.mutators.schedule.choices import changed
from qdkernel.mutators.schedule.stencil import ideas, moves
from qdkernel.mutators.schedule.stencil.genome import MAX_SWEEPS, Genome, cell_of, repaired
from qdkernel.mutators.schedule.stencil.printer import print_stencil
from qdkernel.mutators.schedule.stencil.shape import Stencil


@dataclass(frozen=True)
class StencilTemplate:
    """The template of one stencil; see ``ScheduleTemplate`` for the methods."""

    stencil: Stencil

    def fresh(self, brief: Brief, rng: np.random.Generator) -> Genome:
        """Wide vectors with or without tiles or a wavefront."""
        return moves.fresh(self._context(brief), rng)

    def mutate(self, genome: Genome, brief: Brief, rng: np.random.Generator) -> Genome:
        """A neighbor: one choice changed, sometimes two or three."""
        return moves.mutated(genome, self._context(brief), rng)

    def cross(self, one: Genome, other: Genome, brief: Brief, rng: np.random.Generator) -> Genome:
        """A child that has each group of choices from one of two genomes."""
        return moves.crossed(one, other, self._context(brief), rng)

    def reaches(self, cell: Cell) -> bool:
        """Every cell."""
        return True

    def towards(self, genome: Genome, target: Cell, brief: Brief, rng: np.random.Generator) -> Genome:
        """The genome with the choices changed that make it aim at ``target``."""
        return moves.towards(genome, target, self._context(brief), rng)

    def cell_of(self, genome: Genome) -> Cell:
        """The predicted cell."""
        return cell_of(genome)

    def print(self, genome: Genome) -> str:
        """The kernel as C."""
        return print_stencil(genome, self.stencil)

    def with_constants(self, genome: Genome, values: Mapping[str, str]) -> Genome | None:
        """The genome whose printed constants (TILE_ROWS, SWEEPS, NEAR, ...) have these values."""
        child = changed(genome, {name.lower(): int(text) for name, text in values.items()})
        most = MAX_SWEEPS if self.stencil.sweeps else 1
        return child if repaired(child, self.stencil.dimensions, most) == child else None

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

    def _context(self, brief: Brief) -> moves.TuningContext:
        return moves.context_of(brief, self.stencil)
