"""Random parents: every verified kernel of the run is as likely a parent as any other. For comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from qdkernel.config import SelectionConfig
from qdkernel.core import Cell
from qdkernel.mutators import Elite
from qdkernel.search.policies.base import NO_CHOICE, Choice, Situation


class RandomParents:
    """Draws one of all verified kernels, elites or not, each as likely as the others, and aims at no cell."""

    name = "random-parents"
    shows_history = True

    def __init__(self, reachable: frozenset[Cell], options: SelectionConfig) -> None:
        self._verified: list[Elite] = []

    def observe(self, elite: Elite) -> None:
        """Keeps every kernel."""
        self._verified.append(elite)

    def choose(self, situation: Situation, rng: np.random.Generator) -> Choice:
        """Any kernel observed; the elites of the situation are not used."""
        return Choice(self._verified[int(rng.integers(len(self._verified)))], None) if self._verified else NO_CHOICE

    def to_json(self) -> dict[str, Any]:  # Any: JSON
        """No state: the kernels are observed anew on resume."""
        return {}

    def restore(self, data: Mapping[str, Any]) -> None:  # Any: JSON
        """Nothing to restore."""
