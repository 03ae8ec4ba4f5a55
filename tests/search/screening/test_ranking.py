"""Which of several drafts is evaluated."""

from __future__ import annotations

import numpy as np
import pytest

from qdkernel.core import Cell, Evaluation, Outcome, Proposal
from qdkernel.mutators import Draft, Elite
from qdkernel.search.screening import Screening
from qdkernel.search.screening.ranking import expected_improvement
from qdkernel.search.screening.surrogate import Surrogate
from tests.fake_runs import kernel, ok

CELL = Cell(4, 3, 0, 0)


def proposal(tile: int | None) -> Proposal:
    notes = {} if tile is None else {"genome": {"tile": tile}}
    return Proposal(kernel(f"tile {tile}"), "schedule", "an idea", notes=notes)


def drafts(*tiles: int | None) -> list[Draft]:
    return [Draft.of(proposal(tile)) for tile in tiles]


def taught(*tiles: int) -> Screening:
    """Speed grows with the tile."""
    made = Screening()
    for tile in tiles:
        each = proposal(tile)
        made.observe(each, ok(each.kernel, CELL, float(tile)))
    return made


def elite(objective: float) -> Elite:
    return Elite(kernel("held"), CELL, objective, "seed", "", {})


def test_the_draft_that_is_expected_to_be_fastest_comes_first_for_an_empty_cell() -> None:
    drawn = drafts(2, 7, 5)
    assert taught(1, 2, 3, 4, 5, 6, 7, 8).ranked(drawn, CELL, {}) == [drawn[1], drawn[2], drawn[0]]


def test_against_an_elite_a_chance_to_be_faster_counts_more_than_a_sure_tie() -> None:
    gains = expected_improvement(np.array([0.0, -0.1]), np.array([0.001, 0.5]), held=1.0)
    assert gains[1] > 100 * gains[0]


def test_before_enough_was_measured_drafts_stay_in_their_order() -> None:
    screening, drawn = taught(8, 1), drafts(1, 8)
    assert not screening.ready
    assert screening.ranked(drawn, None, {}) == drawn


def test_drafts_of_which_one_has_no_genome_stay_in_their_order() -> None:
    drawn = drafts(None, 8)
    assert taught(1, 2, 3, 4, 5, 6, 7, 8).ranked(drawn, None, {}) == drawn


def test_kernels_that_failed_or_have_no_genome_teach_nothing() -> None:
    screening = Screening()
    for tile in range(1, 20):
        failed = proposal(tile)
        screening.observe(failed, Evaluation(failed.kernel.id, Outcome.WRONG, "wrong"))
    foreign = proposal(None)
    screening.observe(foreign, ok(foreign.kernel, CELL, 1.0))
    assert not screening.ready


def test_expected_improvement_agrees_with_sampling() -> None:
    rng, means, deviations = np.random.default_rng(0), np.array([0.0, 0.5, -1.0]), np.array([0.5, 0.1, 1.0])
    samples = np.exp(means + deviations * rng.standard_normal((200_000, 3)))
    for held in (0.0, 0.5, 1.5):
        sampled = np.maximum(0.0, samples - held).mean(axis=0)
        assert expected_improvement(means, deviations, held) == pytest.approx(sampled, abs=0.01)


def test_drafts_that_differ_by_rounding_errors_stay_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    means = np.log([5.0, 5.0 * (1 + 1e-12), 7.0, 7.0 * (1 + 1e-12)])
    monkeypatch.setattr(Surrogate, "predict", lambda self, genomes: (means, np.full(4, 0.1)))
    drawn = drafts(1, 2, 3, 4)
    for elites in ({}, {CELL: elite(6.0)}):
        ranked = taught(1, 2, 3, 4, 5, 6, 7, 8).ranked(drawn, CELL, elites)
        assert ranked == [drawn[2], drawn[3], drawn[0], drawn[1]]
