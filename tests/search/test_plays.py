"""What is under way counts for its operator and for its parent alike, from the request to the evaluation."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qdkernel.config import Config
from qdkernel.core import Arm, Cell, Evaluation, Kernel, Outcome, Proposal, Provenance
from qdkernel.evaluators.pipeline import EvaluationTask
from qdkernel.search.credit.plays import PlayLedger
from tests.fake_runs import assignment, new_run, ok
from tests.llm_server import REPLIES, Answer, ModelServer
from tests.model_runs import kernel, reply
from tests.search.offline import configured, search

CELL = Cell(0, 0, 0, 0)
REWRITE, TUNE = Arm("rewrite", "scripted"), Arm("tune")


def only_the_seed_is_right(task: EvaluationTask) -> Evaluation:
    if "unroll" in task.kernel.source:
        return Evaluation(task.kernel.id, Outcome.WRONG, "made up")
    return ok(task.kernel, CELL, 10.0)


def with_a_model(server: ModelServer, evaluations: int) -> Config:
    model = {"name": "scripted", "model": "scripted", "base_url": server.base_url, "parallel": 1}
    llm = {"repairs": 0, "resamples": 0, "reflect_every": None, "revise_every": None}
    return configured(evaluations, mutators=[{"name": "rewrite"}], models=[model], llm=llm)


@pytest.fixture
def plays(monkeypatch: pytest.MonkeyPatch) -> PlayLedger:
    """The ledger of the run that the test assembles."""
    made = PlayLedger({REWRITE: 1.0})
    monkeypatch.setattr(importlib.import_module("qdkernel.search.assemble"), "PlayLedger", lambda weights: made)
    return made


def test_a_conversation_counts_for_its_parent_and_ends_as_a_try_whether_it_brings_a_kernel_or_not(
    tmp_path: Path, plays: PlayLedger
) -> None:
    factors: list[float] = []

    def script(body: object, number: int) -> Answer | str:
        factors.append(plays.parent_factor(CELL))
        return REPLIES["prose"] if number < 2 else reply(kernel(number))

    with (
        ModelServer(script) as server,
        new_run(tmp_path) as folder,
        search(with_a_model(server, 2), folder, only_the_seed_is_right) as run,
    ):
        run.evolution.run()
    # 4 tries of prior, those that ended (each fades by 1 % with every later one), and the one in flight
    assert factors[:3] == [pytest.approx(4 / (4 + ended + 1)) for ended in (0.0, 1.0, 1.99)]


def test_a_resume_begins_what_was_under_way_for_arm_and_parent(tmp_path: Path, plays: PlayLedger) -> None:
    factors: list[float] = []

    def script(body: object, number: int) -> str:
        factors.append(plays.parent_factor(CELL))
        return reply(kernel(number + 2))

    provenance = Provenance(REWRITE, CELL)
    with ModelServer(script) as server, new_run(tmp_path) as folder:
        folder.evaluations.add_proposal(
            Proposal(Kernel(kernel(9)), "rewrite", "left by a killed run", provenance=provenance)
        )
        folder.conversations.add(replace(assignment("rewrite"), provenance=provenance), "scripted")
        with search(with_a_model(server, 3), folder, only_the_seed_is_right) as run:
            run.evolution.run()
        assert 1 in {record.proposal_id for record in folder.evaluations.records()}
    assert factors[0] == pytest.approx(4 / (4 + 2))


def test_a_play_counts_for_both_until_it_ends_and_a_held_one_for_its_parent_only() -> None:
    held, untouched = PlayLedger({REWRITE: 1.0, TUNE: 1.0}), PlayLedger({REWRITE: 1.0, TUNE: 1.0})
    plays = [held.begin(REWRITE, CELL) for _ in range(100)]
    assert held.parent_factor(CELL) == pytest.approx(4 / 104)
    assert choices(held) > choices(untouched)
    for play in plays:
        play.hold()
    assert held.parent_factor(CELL) == pytest.approx(4 / 104)
    assert choices(held) == choices(untouched)
    for play in plays:
        play.release()
    assert choices(held) > choices(untouched)


def choices(plays: PlayLedger) -> int:
    """How often of 200 times the other arm is chosen."""
    rng = np.random.default_rng(0)
    return sum(plays.choose([REWRITE, TUNE], rng) == TUNE for _ in range(200))


def test_a_play_ends_once_and_a_wrong_number_ends_nothing() -> None:
    plays = PlayLedger({REWRITE: 1.0})
    play = plays.begin(REWRITE, CELL)
    with pytest.raises(ValueError, match="expected earned to be a finite number >= 0, got nan"):
        play.settle(float("nan"), 1.0)
    assert plays.parent_factor(CELL) == pytest.approx(4 / 5)
    play.settle(0.5, 1.0)
    with pytest.raises(ValueError, match=r"expected a play that is in_flight or held, but that of .* is ended"):
        play.abandon(1.0)
    with pytest.raises(ValueError, match=r"expected a play that is held, but that of .* is ended"):
        play.release()


def test_evidence_of_both_survives_a_round_trip_and_plays_in_flight_do_not() -> None:
    plays, restored = PlayLedger({REWRITE: 1.0}), PlayLedger({REWRITE: 1.0})
    plays.begin(REWRITE, CELL).abandon(0.25)
    before = plays.parent_factor(CELL)
    plays.begin(REWRITE, CELL).hold()
    restored.restore(plays.state())
    assert restored.parent_factor(CELL) == before
    assert restored.state() == plays.state()
