"""Softmax over the elites' objectives, as FunSearch samples its clusters.

Romera-Paredes et al. 2024, "Mathematical discoveries from program search with large language models", Nature 625,
Methods, "Programs database": cluster ``i`` with score ``s_i`` is drawn with ``P_i = exp(s_i / T) / sum exp(s_j / T)``.

Simplifications: a cell takes the place of a cluster and holds one kernel, so nothing is sampled inside it; there are no
islands; scores are objectives divided by the best one, so that the temperature does not depend on the machine; the
temperature is constant, where FunSearch lowers it as an island fills. What children earned is not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from qdkernel.config import SelectionConfig
from qdkernel.core import Cell
from qdkernel.mutators import Elite
from qdkernel.search.policies.base import NO_CHOICE, Choice, Situation
from qdkernel.search.policies.map_elites import any_cell


class Softmax:
    """Draws an elite by its objective; aims at no cell, or under a stage at any cell that it permits.

    Args:
        reachable: cells this machine can fill.
        options: ``temperature`` is ``T`` above.
    """

    name = "softmax"
    shows_history = True

    def __init__(self, reachable: frozenset[Cell], options: SelectionConfig) -> None:
        self._reachable = reachable
        self._temperature = options.temperature

    def observe(self, elite: Elite) -> None:
        """Ignores it: the archive is enough."""

    def choose(self, situation: Situation, rng: np.random.Generator) -> Choice:
        """An elite, the faster the likelier."""
        if not situation.elites:
            return NO_CHOICE
        cells = sorted(situation.elites)
        objectives = np.array([situation.elites[cell].objective for cell in cells])
        best = float(objectives.max())
        scores = objectives / best if best > 0 else np.ones(len(cells))
        weights = np.exp((scores - scores.max()) / self._temperature)
        parent = situation.elites[cells[int(rng.choice(len(cells), p=weights / weights.sum()))]]
        permitted = situation.permitted
        return Choice(parent, None if permitted is None else any_cell(permitted & self._reachable, rng))

    def to_json(self) -> dict[str, Any]:  # Any: JSON
        """No state."""
        return {}

    def restore(self, data: Mapping[str, Any]) -> None:  # Any: JSON
        """Nothing to restore."""
