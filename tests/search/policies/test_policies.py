"""Every policy of the registry keeps the contract; what is special to each of the small ones."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from qdkernel.config import Config, SelectionConfig
from qdkernel.core import Cell
from qdkernel.mutators import Elite
from qdkernel.search.policies import POLICIES, SelectionPolicy, Situation
from tests.fake_runs import new_run
from tests.search.offline import configured, search
from tests.search.policies.conformance import (
    CELLS,
    ELITES,
    PERMITTED,
    REACHABLE,
    SEED,
    SelectionPolicyConformance,
    elite,
)


def made(name: str, **options: float) -> SelectionPolicy:
    return POLICIES[name](REACHABLE, SelectionConfig.model_validate(options))


class TestMapElites(SelectionPolicyConformance):
    def make(self) -> SelectionPolicy:
        return made("map-elites")


class TestBestOfN(SelectionPolicyConformance):
    def make(self) -> SelectionPolicy:
        return made("best-of-n")

    def test_every_parent_is_a_seed(self, begun: SelectionPolicy) -> None:
        assert set(self.parents(begun, Situation(ELITES))) == {SEED.kernel.id}
        assert not begun.shows_history


class TestRandomParents(SelectionPolicyConformance):
    def make(self) -> SelectionPolicy:
        return made("random-parents")

    def test_kernels_that_are_no_elites_are_parents_as_often(self, policy: SelectionPolicy) -> None:
        first, second = elite(CELLS[0], 1.0), elite(CELLS[0], 2.0)
        policy.observe(first)
        policy.observe(second)
        counts = self.parents(policy, Situation({CELLS[0]: second}), 400)
        assert min(counts[first.kernel.id], counts[second.kernel.id]) > 150


class TestSoftmax(SelectionPolicyConformance):
    def make(self) -> SelectionPolicy:
        return made("softmax")

    def test_an_elite_slower_by_the_temperature_is_e_times_less_likely(self) -> None:
        policy, best, slower = made("softmax", temperature=0.25), elite(CELLS[0], 80.0), elite(CELLS[1], 60.0)
        counts = self.parents(policy, Situation({best.cell: best, slower.cell: slower}), 4000)
        assert counts[best.kernel.id] / counts[slower.kernel.id] == pytest.approx(math.e, rel=0.15)

    def test_a_low_temperature_leaves_the_best_and_a_high_one_all_alike(self) -> None:
        assert set(self.parents(made("softmax", temperature=1e-3), Situation(ELITES))) == {ELITES[CELLS[-1]].kernel.id}
        hot = self.parents(made("softmax", temperature=1e6), Situation(ELITES), 100 * len(ELITES))
        assert len(hot) == len(ELITES)
        assert min(hot.values()) > 50

    def test_elites_without_speed_are_equally_likely(self) -> None:
        counts = self.parents(made("softmax"), Situation({cell: elite(cell, 0.0) for cell in CELLS[:2]}))
        assert min(counts.values()) > 30

    def test_it_aims_only_under_a_stage(self, policy: SelectionPolicy) -> None:
        assert {choice.target for choice in self.choices(policy, Situation(ELITES))} == {None}
        assert None not in {choice.target for choice in self.choices(policy, Situation(ELITES, PERMITTED))}


def child(parent: Elite, cell: Cell, gflops: float) -> Elite:
    return replace(elite(cell, gflops), parents=(parent.kernel.id,))


class TestTreeSearch(SelectionPolicyConformance):
    def make(self) -> SelectionPolicy:
        return made("mcts")

    def test_a_lineage_that_leads_to_fast_kernels_is_followed(self) -> None:
        policy, root = made("mcts", exploration=0.05), elite(CELLS[0], 1.0)
        good, bad = child(root, CELLS[1], 2.0), child(root, CELLS[2], 2.1)
        best = child(good, CELLS[3], 9.0)
        for node in (root, good, bad, best):
            policy.observe(node)
        counts = self.parents(policy, Situation({}), 200)
        assert counts[good.kernel.id] + counts[best.kernel.id] > 5 * counts[bad.kernel.id]

    def test_a_node_gets_more_children_only_after_more_visits(self) -> None:
        policy, root = made("mcts"), elite(CELLS[0], 1.0)
        policy.observe(root)
        children = 0
        for choice in self.choices(policy, Situation({}), 1) + self.choices(policy, Situation({}), 99):
            if choice.parent == root:
                children += 1
                policy.observe(child(root, CELLS[1], 1.0 + 0.001 * children))
        assert 1 <= children <= 100

    def test_batches_spread_before_outcomes_are_known(self) -> None:
        policy, root = made("mcts"), elite(CELLS[0], 1.0)
        twins = [child(root, cell, 5.0) for cell in CELLS[1:4]]
        for node in (root, *twins):
            policy.observe(node)
        counts = self.parents(policy, Situation({}), 6)
        assert [counts[twin.kernel.id] for twin in twins] == [2, 2, 2]


class TestIslands(SelectionPolicyConformance):
    def make(self) -> SelectionPolicy:
        return made("islands")

    def test_a_child_lives_on_its_parents_island_alone(self) -> None:
        policy, seed = made("islands", islands=2), elite(CELLS[0], 1.0)
        policy.observe(seed)
        self.choices(policy, Situation({}), 1)  # by island 0
        only = child(seed, CELLS[1], 50.0)
        policy.observe(only)
        turns = [choice.parent for choice in self.choices(policy, Situation({}), 40)]
        assert only in turns[1::2]
        assert only not in turns[0::2]

    def test_the_best_migrate_to_the_next_island(self) -> None:
        policy, seed = made("islands", islands=2), elite(CELLS[0], 1.0)
        policy.observe(seed)
        self.choices(policy, Situation({}), 1)
        best = child(seed, CELLS[1], 90.0)
        policy.observe(best)
        for number in range(30):  # the 32nd kernel observed lets the best migrate
            policy.observe(child(seed, CELLS[2], 1.0 + number / 100))
        turns = [choice.parent for choice in self.choices(policy, Situation({}), 60)]
        assert best in turns[0::2]
        assert best in turns[1::2]


def test_the_registry_holds_what_a_configuration_can_name() -> None:
    assert set(POLICIES) == set(get_args(Config.model_fields["search"].annotation))
    assert {name: made(name).name for name in POLICIES} == {name: name for name in POLICIES}
    assert {kind.make(kind()).name for kind in SelectionPolicyConformance.__subclasses__()} == set(POLICIES)


@pytest.mark.parametrize("name", ["mcts", "islands"])
def test_a_search_over_lineages_runs(tmp_path: Path, name: str) -> None:
    with new_run(tmp_path) as folder, search(configured(30, search=name), folder) as run:
        run.evolution.run()
        records = list(folder.evaluations.records())
    assert len(records) == 30
    assert len({record.proposal.parents for record in records}) > 3


def test_a_softmax_search_runs_and_draws_its_parents_from_the_archive(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder, search(configured(30, search="softmax"), folder) as run:
        run.evolution.run()
        proposals = [record.proposal for record in folder.evaluations.records()]
    assert {proposal.target for proposal in proposals} == {None}
    assert len({proposal.provenance.parent_cell for proposal in proposals}) > 3


@pytest.mark.parametrize("wrong", [0.0, -1.0])
def test_a_temperature_is_positive(wrong: float) -> None:
    with pytest.raises(ValueError, match="temperature"):
        SelectionConfig(temperature=wrong)
