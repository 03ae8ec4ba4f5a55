"""Monte Carlo tree search over lineages: UCT with progressive widening.

A node is a verified kernel and its children are the kernels made from it. Coulom 2007, "Efficient Selectivity and
Backup Operators in Monte-Carlo Tree Search"; Kocsis and Szepesvari 2006, "Bandit Based Monte-Carlo Planning" (UCT:
value plus ``c sqrt(ln N / n)``); progressive widening: Couetoux et al. 2011, "Continuous Upper Confidence Trees" (a
node gets another child while it has fewer than ``n^a``). OptiML (arXiv 2602.12305) and REASONING COMPILER (arXiv
2506.01374) search kernels with a model in this way.

Simplifications: a node's value is the best objective in its subtree, as one looks for the best kernel and not for a
good average; it is divided by the best of all, so that ``c`` does not depend on the machine. A kernel of several
parents is a child of the first. Kernels that fail leave no node, but their tries count as visits.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qdkernel.config import SelectionConfig
from qdkernel.core import Cell, KernelId
from qdkernel.mutators import Elite
from qdkernel.search.policies.base import NO_CHOICE, Choice, Situation
from qdkernel.search.policies.map_elites import any_cell

_WIDENING = 0.5  # exponent a of the children permitted after n visits; the value usual in the literature


class TreeSearch:
    """Descends from the seeds to the kernel that is changed next; aims at no cell, or under a stage at any it permits.

    Args:
        reachable: cells this machine can fill.
        options: ``exploration`` is ``c`` above.
    """

    name = "mcts"
    shows_history = True

    def __init__(self, reachable: frozenset[Cell], options: SelectionConfig) -> None:
        self._reachable = reachable
        self._exploration = options.exploration
        self._kernels: dict[KernelId, Elite] = {}
        self._parent: dict[KernelId, KernelId] = {}
        self._children: dict[KernelId | None, list[KernelId]] = {}  # of no kernel: those without a known parent
        self._best: dict[KernelId, float] = {}  # objective in the subtree
        self._visits: Counter[KernelId] = Counter()

    def observe(self, elite: Elite) -> None:
        """Adds a node, and its objective to those above it; of a kernel known already, only its objective."""
        kernel = elite.kernel.id
        if kernel not in self._kernels:
            parent = next((each for each in elite.parents if each in self._kernels), None)
            if parent is not None:
                self._parent[kernel] = parent
            self._children.setdefault(parent, []).append(kernel)
        self._kernels[kernel] = elite
        node: KernelId | None = kernel
        while node is not None:
            self._best[node] = max(self._best.get(node, 0.0), elite.objective)
            node = self._parent.get(node)

    def choose(self, situation: Situation, rng: np.random.Generator) -> Choice:
        """The node where the descent ends: the first that may have another child."""
        if not self._kernels:
            return NO_CHOICE
        node = self._descend(self._children[None], sum(self._visits[root] for root in self._children[None]))
        while (children := self._children.get(node, ())) and len(children) >= self._permitted_children(node):
            node = self._descend(children, self._visits[node])
        self._visit(node)
        permitted = situation.permitted
        target = None if permitted is None else any_cell(permitted & self._reachable, rng)
        return Choice(self._kernels[node], target)

    def to_json(self) -> dict[str, Any]:  # Any: JSON
        """How often each node was visited."""
        return {"visits": dict(self._visits)}

    def restore(self, data: Mapping[str, Any]) -> None:  # Any: JSON
        """The inverse of ``to_json``."""
        self._visits = Counter({KernelId(kernel): int(count) for kernel, count in data["visits"].items()})

    def _permitted_children(self, node: KernelId) -> float:
        return float((1 + self._visits[node]) ** _WIDENING)

    def _descend(self, children: Sequence[KernelId], visits: int) -> KernelId:
        """The child with the highest upper confidence bound; the oldest of several."""
        top = max(self._best.values()) or 1.0

        def bound(child: KernelId) -> float:
            spread = math.sqrt(math.log(1 + visits) / (1 + self._visits[child]))
            return self._best[child] / top + self._exploration * spread

        return max(children, key=bound)

    def _visit(self, node: KernelId) -> None:
        """Counts a visit of a node and of all above it, before the outcome is known: a batch spreads over the tree."""
        above: KernelId | None = node
        while above is not None:
            self._visits[above] += 1
            above = self._parent.get(above)
