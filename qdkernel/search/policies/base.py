"""The contract of selection policies: which kernel is changed next, and towards which cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from qdkernel.core import Cell
from qdkernel.mutators import Elite

Factor = Callable[[Cell], float]


@dataclass(frozen=True)
class Choice:
    """The parent to start from (``None`` while there is none) and the cell to aim at (``None`` for no preference)."""

    parent: Elite | None
    target: Cell | None


NO_CHOICE = Choice(None, None)


@dataclass(frozen=True)
class Situation:
    """What a policy chooses by.

    Attributes:
        elites: the archive by cell.
        permitted: cells that the stage permits; ``None`` for all.
        parent_factor: how much likelier than usual a cell's elite should be a parent, by what its children earned.
        ceiling: what a kernel of a cell can reach at most, as a share of the fastest cell's; 0 for a cell that is not
            worth aiming at.
    """

    elites: Mapping[Cell, Elite]
    permitted: frozenset[Cell] | None = None
    parent_factor: Factor = lambda cell: 1.0
    ceiling: Factor = lambda cell: 1.0


class SelectionPolicy(Protocol):
    """Chooses parents and targets.

    ``tests/search/policies/conformance.py`` tests this contract for every policy in the registry.
    """

    @property
    def name(self) -> str:
        """Registry name, as in a configuration."""

    @property
    def shows_history(self) -> bool:
        """Whether operators are given the archive, failures and lessons of the run, or the parent alone."""

    def observe(self, elite: Elite) -> None:
        """Takes in a verified and timed kernel, whether or not it took its cell.

        Called in the order of the run's log, on resume too: what is remembered here does not belong in the state.
        """

    def choose(self, situation: Situation, rng: np.random.Generator) -> Choice:
        """The next parent and target.

        All randomness comes from ``rng``: the same situation, observations, state and generator give the same choice.
        The parent is an elite of the situation or a kernel observed; a target is reachable and permitted.
        """

    def to_json(self) -> dict[str, Any]:  # Any: JSON
        """State that neither the archive nor the observations give; empty for a policy without any."""

    def restore(self, data: Mapping[str, Any]) -> None:  # Any: JSON
        """The inverse of ``to_json``."""
