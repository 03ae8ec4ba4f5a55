"""What every selection policy does; a new one is tested by a subclass with its ``make``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping

import numpy as np
import pytest

from qdkernel.core import Cell, Kernel, cell_name, reachable_cells
from qdkernel.mutators import Elite
from qdkernel.search.policies import Choice, SelectionPolicy, Situation

REACHABLE = frozenset(reachable_cells([128, 256]))
CELLS = sorted(REACHABLE)[::7]


def elite(cell: Cell, gflops: float, operator: str = "schedule") -> Elite:
    return Elite(Kernel(f"/* {cell_name(cell)} at {gflops} */"), cell, gflops, operator, "", {})


ELITES: Mapping[Cell, Elite] = {cell: elite(cell, 1.0 + number) for number, cell in enumerate(CELLS)}
SEED = elite(CELLS[0], 0.5, "seed")
PERMITTED = frozenset(cell for cell in reachable_cells([128, 256, 512]) if cell[2] == 0)


class SelectionPolicyConformance:
    """The contract of ``SelectionPolicy``."""

    def make(self) -> SelectionPolicy:
        """A policy for the cells of ``REACHABLE`` that has seen and chosen nothing."""
        raise NotImplementedError

    @pytest.fixture
    def policy(self) -> SelectionPolicy:
        return self.make()

    @pytest.fixture
    def begun(self) -> SelectionPolicy:
        return self.observing(self.make())

    def observing(self, policy: SelectionPolicy) -> SelectionPolicy:
        """The policy after it has observed a seed and the elites."""
        for seen in (SEED, *ELITES.values()):
            policy.observe(seen)
        return policy

    def parents(self, policy: SelectionPolicy, situation: Situation, count: int = 100) -> Counter[str]:
        """How often each kernel is the parent, by its id; ``none`` for no parent."""
        chosen = [choice.parent for choice in self.choices(policy, situation, count)]
        return Counter("none" if parent is None else parent.kernel.id for parent in chosen)

    def choices(self, policy: SelectionPolicy, situation: Situation, count: int = 100, seed: int = 0) -> list[Choice]:
        rng = np.random.default_rng(seed)
        return [policy.choose(situation, rng) for _ in range(count)]

    def test_without_a_kernel_there_is_no_parent_and_no_target(self, policy: SelectionPolicy) -> None:
        assert self.choices(policy, Situation({}), 5) == [Choice(None, None)] * 5

    def test_a_parent_is_an_elite_or_a_kernel_observed(self, begun: SelectionPolicy) -> None:
        known = {SEED.kernel.id, *(each.kernel.id for each in ELITES.values())}
        assert set(self.parents(begun, Situation(ELITES))) <= known

    def test_a_target_is_reachable_and_permitted(self, begun: SelectionPolicy) -> None:
        assert {choice.target for choice in self.choices(begun, Situation(ELITES))} <= {None, *REACHABLE}
        under_a_stage = self.choices(begun, Situation(ELITES, PERMITTED))
        assert {choice.target for choice in under_a_stage} <= {None, *(REACHABLE & PERMITTED)}

    def test_the_same_generator_gives_the_same_choices(self) -> None:
        first, second = self.observing(self.make()), self.observing(self.make())
        situation = Situation(ELITES, PERMITTED)
        assert self.choices(first, situation) == self.choices(second, situation)

    def test_the_state_is_json_and_continues_the_choices(self, begun: SelectionPolicy) -> None:
        self.choices(begun, Situation(ELITES))
        resumed = self.observing(self.make())
        resumed.restore(json.loads(json.dumps(begun.to_json())))
        assert self.choices(resumed, Situation(ELITES), seed=1) == self.choices(begun, Situation(ELITES), seed=1)

    def test_choosing_changes_nothing_that_it_is_given(self, begun: SelectionPolicy) -> None:
        elites = dict(ELITES)
        self.choices(begun, Situation(elites, PERMITTED))
        assert elites == ELITES
