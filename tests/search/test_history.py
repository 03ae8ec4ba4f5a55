from __future__ import annotations

from qdkernel.core import Arm, Evaluation, Outcome, Placement, Proposal, Provenance, parse_cell
from qdkernel.search.history import SearchHistory
from tests.fake_runs import kernel, ok

AIMED, FOUND = parse_cell("packed/256/serial/none"), parse_cell("cache+register/256/serial/none")
MODEL = Provenance(Arm("plan", "big"))


def program(tag: str, strategy: str = "pack B", plan: int = 7) -> Proposal:
    notes = {"plan": plan, "strategy": strategy}
    return Proposal(kernel(tag), "program", f"idea {tag}", target=AIMED, notes=notes, provenance=MODEL)


def test_a_kernel_that_waits_is_an_attempt_at_its_target_until_it_is_timed() -> None:
    history, made = SearchHistory(), program("a")
    history.waits(made)
    (waiting,) = history.attempts_at(AIMED)
    assert waiting.outcome is None
    history.record(made, ok(made.kernel, FOUND, 40.0), Placement.NEW, 0.1)
    (timed,) = history.attempts_at(AIMED)
    assert (timed.outcome, timed.cell, timed.placed) == (Outcome.OK, FOUND, True)
    assert history.attempts_at(FOUND) == (timed,)


def test_the_same_kernel_proposed_once_more_leaves_its_result() -> None:
    history, made = SearchHistory(), program("a")
    history.record(made, ok(made.kernel, AIMED, 40.0), Placement.NEW, 0.1)
    history.waits(made)
    history.record(made, Evaluation(made.kernel.id, Outcome.DUPLICATE), Placement.NONE, 0.0)
    assert [attempt.outcome for attempt in history.attempts_at(AIMED)] == [Outcome.OK]


def test_the_newest_attempt_comes_first_and_built_in_kernels_count_when_they_took_a_cell() -> None:
    history = SearchHistory()
    for tag, placement in (("a", Placement.NEW), ("b", Placement.NOT_ADDED), ("c", Placement.IMPROVED)):
        built_in = Proposal(kernel(tag), "tune", f"idea {tag}", target=AIMED, provenance=Provenance(Arm("tune")))
        history.record(built_in, ok(built_in.kernel, AIMED, 40.0), placement, 0.0)
    assert [attempt.idea for attempt in history.attempts_at(AIMED)] == ["idea c", "idea a"]


def test_the_last_plan_is_told_what_became_of_each_strategy() -> None:
    history, made = SearchHistory(), program("a")
    history.plans(7, ["pack B", "prefetch C"])
    history.record(made, Evaluation(made.kernel.id, Outcome.WRONG, "wrong"), Placement.NONE, 0.0)
    first, second = history.last_plan
    assert first.attempt is not None
    assert (first.strategy, first.attempt.outcome, second.attempt) == ("pack B", Outcome.WRONG, None)
    late = program("b", plan=6)
    history.record(late, ok(late.kernel, AIMED, 40.0), Placement.NEW, 0.1)
    assert [result.strategy for result in history.last_plan] == ["pack B", "prefetch C"]
