"""Every policy of the registry keeps the contract; what is special to each of the small ones."""

from __future__ import annotations

import math
from pathlib import Path
from typing import get_args

import pytest

from qdkernel.config import Config, SelectionConfig
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


def test_the_registry_holds_what_a_configuration_can_name() -> None:
    assert set(POLICIES) == set(get_args(Config.model_fields["search"].annotation))
    assert {name: made(name).name for name in POLICIES} == {name: name for name in POLICIES}
    assert {kind.make(kind()).name for kind in SelectionPolicyConformance.__subclasses__()} == set(POLICIES)


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
