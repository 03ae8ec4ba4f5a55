from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from qdkernel.core import Arm, Evaluation, KernelId, Outcome, Proposal, Provenance
from qdkernel.evaluators.pipeline import EvaluationTask
from qdkernel.llm import Completion
from qdkernel.runs import End, RunFolder
from qdkernel.search import parking
from qdkernel.search.parking import Parking
from tests.fake_runs import ask, assignment, kernel, new_run
from tests.search.offline import configured, hashed, search

BUILT_IN, MODEL = Arm("schedule"), Arm("edit", "big")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def proposal(arm: Arm | None) -> Proposal:
    return Proposal(kernel("parked"), "edit", "an idea", provenance=Provenance(arm))


def ended(outcome: Outcome = Outcome.LOST) -> Evaluation:
    return Evaluation(kernel("parked").id, outcome, "the machine was too busy")


@pytest.mark.parametrize("arm", [None, BUILT_IN])
def test_only_a_models_kernel_waits_for_a_quieter_host(arm: Arm | None) -> None:
    assert not Parking().park(1, proposal(arm), ended())
    assert Parking().park(1, proposal(MODEL), ended())
    assert not Parking().park(1, proposal(MODEL), ended(Outcome.CRASHED))


def test_each_pause_is_twice_as_long_up_to_a_minute() -> None:
    clock = Clock()
    parked, pauses = Parking(clock), []
    for _ in range(7):
        assert parked.park(1, proposal(MODEL), ended())
        pauses.append(parked.pause_s)
        assert parked.next() is None
        clock.now += parked.pause_s
        assert parked.next() == 1
    assert pauses == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert len(parked) == 0


def test_the_one_whose_pause_ended_first_is_tried_first() -> None:
    clock = Clock()
    parked = Parking(clock)
    for number in (3, 1, 2):
        parked.park(number, proposal(MODEL), ended())
        clock.now += 1.0
    clock.now += 2.0
    assert [parked.next() for _ in range(3)] == [3, 1, 2]


def test_a_kernel_that_is_lost_every_time_ends_as_lost() -> None:
    clock, tries = Clock(), 0
    parked = Parking(clock)
    while parked.park(1, proposal(MODEL), ended()):
        tries += 1
        clock.now += parked.pause_s
        parked.next()
    assert tries == 11


def recorded_by_model(root: Path, count: int) -> RunFolder:
    """A run in which a model wrote so many kernels."""
    folder, opening = new_run(root), replace(assignment("edit"), provenance=Provenance(MODEL))
    for at in range(count):
        made = kernel(f"kernel {at}")
        number = ask(folder, opening, "big", Completion(f"IDEA: an idea\n```c\n{made.source}```\n"))
        proposal = Proposal(made, "edit", "an idea", provenance=Provenance(MODEL))
        folder.conversations.end(number, End.PROPOSAL, proposal=proposal)
    return folder


def test_no_reply_is_lost_where_every_kernel_is_disturbed_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parking, "_PAUSE_S", 0.01)
    tries: Counter[KernelId] = Counter()

    def disturbed(task: EvaluationTask) -> Evaluation:
        tries[task.kernel.id] += 1
        return hashed(task) if tries[task.kernel.id] > 2 else Evaluation(task.kernel.id, Outcome.LOST, "busy")

    with recorded_by_model(tmp_path / "recorded", 6) as recorded, new_run(tmp_path / "again") as again:
        with search(configured(100), again, disturbed, recorded) as run:
            run.evolution.run()
        records = list(again.evaluations.records())
    assert len(records) == 6
    assert all(record.evaluation.outcome is not Outcome.LOST for record in records)
    assert set(tries.values()) == {3}
