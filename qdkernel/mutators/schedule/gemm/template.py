"""The schedule template of matrix multiply, in one element type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qdkernel.core import Cell
from qdkernel.mutators.contract import Brief
from qdkernel.mutators.schedule.gemm import ideas, moves
from qdkernel.mutators.schedule.gemm.genome import Genome, Prefetch, cell_of, changed, repaired
from qdkernel.mutators.schedule.gemm.printer import print_gemm


@dataclass(frozen=True)
class GemmTemplate:
    """See ``ScheduleTemplate``.

    Attributes:
        function: the C function's name, e.g. ``dgemm``.
        element_bytes: size of an element.
    """

    function: str
    element_bytes: int

    def fresh(self, brief: Brief, rng: np.random.Generator) -> Genome:
        """A packed kernel with the widest vectors, and tiles from the cache sizes."""
        return moves.fresh(self._setting(brief), rng)

    def mutate(self, genome: Genome, brief: Brief, rng: np.random.Generator) -> Genome:
        """A neighbor of the genome."""
        return moves.mutated(genome, self._setting(brief), rng)

    def cross(self, first: Genome, second: Genome, brief: Brief, rng: np.random.Generator) -> Genome:
        """A genome with groups of choices of both."""
        return moves.crossed(first, second, self._setting(brief), rng)

    def towards(self, genome: Genome, cell: Cell, brief: Brief, rng: np.random.Generator) -> Genome:
        """The genome with those choices changed that the cell asks for."""
        return moves.towards(genome, cell, self._setting(brief), rng)

    def cell_of(self, genome: Genome) -> Cell:
        """The cell in which the kernel is expected."""
        return cell_of(genome)

    def print(self, genome: Genome) -> str:
        """The kernel as C."""
        return print_gemm(genome, self.function)

    def with_constants(self, genome: Genome, values: Mapping[str, str]) -> Genome | None:
        """The genome with other tiles or prefetch distances; ``None`` when it would have to be clipped."""
        for name, text in values.items():
            value = int(text)
            if name.startswith("AHEAD_"):
                field = "prefetch_" + name[-1].lower()
                choice: Prefetch = getattr(genome, field)
                genome = changed(genome, {field: replace(choice, ahead=value)})
            else:
                genome = changed(genome, {name.lower(): value})  # MC, NC, KC, SMALL
        return genome if repaired(genome, self.element_bytes) == genome else None

    def summary(self, genome: Genome) -> str:
        """The genome as an idea."""
        return ideas.summary(genome)

    def difference(self, before: Genome, after: Genome) -> str:
        """What changed, as an idea."""
        return ideas.difference(before, after)

    def to_json(self, genome: Genome) -> Mapping[str, Any]:  # Any: JSON
        """Plain JSON values."""
        return genome.to_json()

    def from_json(self, values: Mapping[str, Any]) -> Genome | None:  # Any: JSON
        """The genome; ``None`` for values of another version."""
        try:
            return Genome.from_json(values)
        except TypeError:
            return None

    def _setting(self, brief: Brief) -> moves.TuningContext:
        return moves.setting_of(brief, self.element_bytes)
