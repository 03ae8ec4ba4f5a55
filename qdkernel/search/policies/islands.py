"""Islands: populations that evolve apart, with migration of the best around a ring.

Tanese 1989, "Distributed Genetic Algorithms"; Whitley, Rana and Heckendorn 1999, "The Island Model Genetic Algorithm".
FunSearch (Romera-Paredes et al. 2024) and OpenEvolve use islands for programs.

Simplifications: a kernel belongs to the island that chose its first parent last, a seed to all of them; an island keeps
its fastest kernels and draws parents by rank.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from qdkernel.config import SelectionConfig
from qdkernel.core import Cell, KernelId
from qdkernel.mutators import Elite
from qdkernel.search.policies.base import NO_CHOICE, Choice, Situation
from qdkernel.search.policies.map_elites import any_cell

_CAPACITY = 24  # kernels of an island; heuristic: the others would hardly ever be drawn by rank
_MIGRATION = 16  # kernels observed per island between migrations; heuristic


class Islands:
    """Draws parents from one island after the other; aims at no cell, or under a stage at any that it permits.

    Args:
        reachable: cells this machine can fill.
        options: ``islands`` is their number.
    """

    name = "islands"
    shows_history = True

    def __init__(self, reachable: frozenset[Cell], options: SelectionConfig) -> None:
        self._reachable = reachable
        self._kernels: dict[KernelId, Elite] = {}
        self._islands: list[list[KernelId]] = [[] for _ in range(options.islands)]
        self._chosen: dict[KernelId, int] = {}  # a parent -> the island that chose it last
        self._turn = 0
        self._observed = 0

    def observe(self, elite: Elite) -> None:
        """Adds the kernel to the island of its parent, or to all; from time to time the best migrate."""
        self._kernels[elite.kernel.id] = elite
        home = next((self._chosen[parent] for parent in elite.parents if parent in self._chosen), None)
        for number in range(len(self._islands)) if home is None else (home,):
            self._settle(number, elite.kernel.id)
        self._observed += 1
        if self._observed % (_MIGRATION * len(self._islands)) == 0:
            best = [island[0] for island in self._islands]
            for number, kernel in enumerate(best):
                self._settle((number + 1) % len(self._islands), kernel)

    def choose(self, situation: Situation, rng: np.random.Generator) -> Choice:
        """A kernel of the next island; weights fall off as 1 / rank."""
        if not self._kernels:
            return NO_CHOICE
        number, self._turn = self._turn, (self._turn + 1) % len(self._islands)
        island = self._islands[number]
        weights = 1.0 / np.arange(1, len(island) + 1)
        parent = island[int(rng.choice(len(island), p=weights / weights.sum()))]
        self._chosen[parent] = number
        permitted = situation.permitted
        target = None if permitted is None else any_cell(permitted & self._reachable, rng)
        return Choice(self._kernels[parent], target)

    def to_json(self) -> dict[str, Any]:  # Any: JSON
        """The kernels of each island, which island chose each parent last, and whose turn it is."""
        return {
            "islands": [list(island) for island in self._islands],
            "chosen": dict(self._chosen),
            "turn": self._turn,
            "observed": self._observed,
        }

    def restore(self, data: Mapping[str, Any]) -> None:  # Any: JSON
        """The inverse of ``to_json``."""
        self._islands = [[KernelId(kernel) for kernel in island] for island in data["islands"]]
        self._chosen = {KernelId(kernel): int(number) for kernel, number in data["chosen"].items()}
        self._turn, self._observed = int(data["turn"]), int(data["observed"])

    def _settle(self, number: int, kernel: KernelId) -> None:
        """Adds a kernel to an island, which keeps its fastest, ordered by speed."""
        island = {*self._islands[number], kernel}
        ordered = sorted(island, key=lambda each: (-self._kernels[each].objective, each))
        self._islands[number] = ordered[:_CAPACITY]
