"""Matrix multiply as a schedule template, for one element type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qdkernel.core import Cell
from qdkernel.mutators.contract import Brief
from qdkernel.mutators.schedule.choices import changed
from qdkernel.mutators.schedule.gemm import ideas, moves
from qdkernel.mutators.schedule.gemm.genome import Genome, Prefetch, cell_of, repaired
from qdkernel.mutators.schedule.gemm.printing import ELEMENT_BYTES, print_gemm


@dataclass(frozen=True)
class GemmTemplate:
    """The template of ``dgemm`` or ``sgemm``; see ``ScheduleTemplate`` for the methods.

    Attributes:
        function: the problem's name.
    """

    function: str

    @property
    def element_bytes(self) -> int:
        """Size of an element."""
        return ELEMENT_BYTES[self.function]

    def fresh(self, brief: Brief, rng: np.random.Generator) -> Genome:
        """A packed kernel with the widest vectors and tiles from the cache sizes."""
        return moves.fresh(self._context(brief), rng)

    def mutate(self, genome: Genome, brief: Brief, rng: np.random.Generator) -> Genome:
        """A neighbour: one choice changed, sometimes two or three."""
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
        return print_gemm(genome, self.function)

    def with_constants(self, genome: Genome, values: Mapping[str, str]) -> Genome | None:
        """The genome whose printed constants (MC, NC, KC, SMALL, AHEAD_A, ...) have these values."""
        child = genome
        for name, text in values.items():
            if name.startswith("AHEAD_"):
                field = "prefetch_" + name[-1].lower()
                choice: Prefetch = getattr(child, field)
                child = changed(child, {field: replace(choice, ahead=int(text))})
            else:
                child = changed(child, {name.lower(): int(text)})
        return child if repaired(child, self.element_bytes) == child else None

    def to_json(self, genome: Genome) -> dict[str, Any]:  # Any: JSON values
        """Plain JSON values."""
        return genome.to_json()

    def from_json(self, values: Mapping[str, Any]) -> Genome:  # Any: JSON values
        """The inverse of ``to_json``."""
        return Genome.from_json(values)

    def summary(self, genome: Genome) -> str:
        """The genome in one line."""
        return ideas.summary(genome)

    def difference(self, before: Genome, after: Genome) -> str:
        """What changed and why, in one line."""
        return ideas.difference(before, after)

    def _context(self, brief: Brief) -> moves.TuningContext:
        return moves.context_of(brief, self.element_bytes)
