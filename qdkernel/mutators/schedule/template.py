"""The contract of schedule templates: a family of kernels described by scheduling choices and printed as C."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

import numpy as np

from qdkernel.core import Cell
from qdkernel.mutators.contract import Brief

G = TypeVar("G")
"""A genome: the scheduling choices of one kernel, immutable, compared by value."""


class ScheduleTemplate(Protocol[G]):
    """One family's template.

    All randomness comes from the generators passed in. Every genome that a method returns is valid: ``print`` gives a
    correct kernel for it.
    """

    def fresh(self, brief: Brief, rng: np.random.Generator) -> G:
        """A good start for the brief's machine and sizes, e.g. with tiles from the cache sizes."""

    def mutate(self, genome: G, brief: Brief, rng: np.random.Generator) -> G:
        """A neighbor of the genome."""

    def cross(self, first: G, second: G, brief: Brief, rng: np.random.Generator) -> G:
        """A genome with choices of both."""

    def towards(self, genome: G, cell: Cell, brief: Brief, rng: np.random.Generator) -> G:
        """The genome with those choices changed that the cell asks for."""

    def cell_of(self, genome: G) -> Cell:
        """The cell in which the kernel is expected; its behaviour is measured from the compiled code."""

    def print(self, genome: G) -> str:
        """The kernel as C, with constants declared tunable; the same genome gives the same text."""

    def with_constants(self, genome: G, values: Mapping[str, str]) -> G | None:
        """The genome whose printed constants have these values; ``None`` for values that it cannot have.

        Args:
            genome: of a printed kernel.
            values: new values of constants that ``print`` declares tunable, by name.
        """

    def summary(self, genome: G) -> str:
        """The genome as an idea, one line."""

    def difference(self, before: G, after: G) -> str:
        """What changed between two genomes as an idea, one line."""

    def to_json(self, genome: G) -> Mapping[str, Any]:  # Any: JSON
        """JSON values that ``from_json`` reads back."""

    def from_json(self, values: Mapping[str, Any]) -> G | None:  # Any: JSON
        """The genome in JSON values; ``None`` for those of another version or family."""
