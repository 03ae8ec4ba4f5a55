"""The contract of a schedule template: everything that the schedule and tune operators need of a family of kernels.

A template holds no state of a run. ``G`` is its genome: an immutable value with one field per scheduling choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

import numpy as np

from qdkernel.core import Cell
from qdkernel.mutators.contract import Brief

G = TypeVar("G")


class ScheduleTemplate(Protocol[G]):
    """Prints the kernels of one problem from a genome, and moves genomes.

    Every genome that a method returns is valid: it prints, and ``cell_of`` gives the cell that its kernel is meant
    for. All randomness comes from ``rng``. A conformance test class for implementations is in
    ``tests/mutators/schedule/conformance.py``.
    """

    def fresh(self, brief: Brief, rng: np.random.Generator) -> G:
        """A genome to start from, fitted to the brief's machine, threads and sizes."""

    def mutate(self, genome: G, brief: Brief, rng: np.random.Generator) -> G:
        """A neighbour of ``genome``, never ``genome`` itself."""

    def cross(self, one: G, other: G, brief: Brief, rng: np.random.Generator) -> G:
        """A genome that takes each choice from one of two genomes."""

    def reaches(self, cell: Cell) -> bool:
        """Whether there is a genome for the cell, on a machine that can produce it."""

    def towards(self, genome: G, target: Cell, brief: Brief, rng: np.random.Generator) -> G:
        """``genome`` with only those choices changed that give ``cell_of(...) == target``.

        For a target that the template does not reach the result is valid, and near it.
        """

    def cell_of(self, genome: G) -> Cell:
        """The predicted cell; the evaluator measures the true one."""

    def print(self, genome: G) -> str:
        """The kernel as C; free constants carry a ``/* tune: ... */`` comment."""

    def with_constants(self, genome: G, values: Mapping[str, str]) -> G | None:
        """The genome whose printed constants have these values; ``None`` when they make no valid genome.

        Args:
            genome: a genome.
            values: text by name of the ``#define``, each from the choices that its ``tune:`` comment offers.
        """

    def to_json(self, genome: G) -> dict[str, Any]:  # Any: JSON values
        """Plain JSON values, read back by ``from_json``."""

    def from_json(self, values: Mapping[str, Any]) -> G:  # Any: JSON values
        """The genome written by ``to_json``.

        Raises:
            TypeError: a field is missing from this version, or unknown to it.
        """

    def summary(self, genome: G) -> str:
        """The genome in one line."""

    def difference(self, before: G, after: G) -> str:
        """What changed and why, in one line."""
