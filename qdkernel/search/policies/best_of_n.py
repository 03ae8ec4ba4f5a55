"""Best of N: every proposal starts from a seed kernel; the archive is filled, but not used. For comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from qdkernel.config import SelectionConfig
from qdkernel.core import Cell
from qdkernel.mutators import Elite
from qdkernel.search.policies.base import NO_CHOICE, Choice, Situation


class BestOfN:
    """Draws one of the verified seeds, each as likely as the others, and aims at no cell."""

    name = "best-of-n"
    shows_history = False

    def __init__(self, reachable: frozenset[Cell], options: SelectionConfig) -> None:
        self._seeds: list[Elite] = []

    def observe(self, elite: Elite) -> None:
        """Keeps the seeds."""
        if elite.operator == "seed":
            self._seeds.append(elite)

    def choose(self, situation: Situation, rng: np.random.Generator) -> Choice:
        """A seed; the elites of the situation are not used."""
        return Choice(self._seeds[int(rng.integers(len(self._seeds)))], None) if self._seeds else NO_CHOICE

    def to_json(self) -> dict[str, Any]:  # Any: JSON
        """No state: the seeds are observed anew on resume."""
        return {}

    def restore(self, data: Mapping[str, Any]) -> None:  # Any: JSON
        """Nothing to restore."""
