"""The run folder: what is committed stays, what is broken is told, one writer at a time."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from qdkernel.core import (
    Arm,
    Cell,
    Duel,
    Evaluation,
    Fault,
    Kernel,
    KernelId,
    Outcome,
    Placement,
    Proposal,
    Provenance,
    VerificationResult,
    parse_cell,
    pooled,
)
from qdkernel.errors import RunFolderError, UnknownName
from qdkernel.runs import EventKind, RunFolder, elites
from tests.fake_runs import CONFIG, RECORD, add_elite, breed, kernel, new_run, ok

CELL = parse_cell("packed/512/static/near")


def test_a_new_folder_is_named_after_problem_and_time_and_holds_config_and_machine(tmp_path: Path) -> None:
    with new_run(tmp_path / "runs") as folder:
        assert folder.path.parent == tmp_path / "runs"
        assert folder.path.name.startswith("dgemm-20")
        assert len(folder.path.name.split("-")) == 4
        assert folder.config_yaml == CONFIG
        assert folder.machine == RECORD
        assert (folder.path / "elites").is_dir()
        assert (folder.path / "plots").is_dir()
        assert folder.meta["problem"] == "dgemm"


def test_a_run_can_be_made_in_a_folder_of_the_users_choice_but_only_one(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with RunFolder.create(tmp_path / "mine", "dgemm", CONFIG, RECORD, exact=True) as folder:
        assert folder.path == tmp_path / "mine"
    with pytest.raises(RunFolderError, match=r"mine already holds a run; resume that one, or choose another folder"):
        RunFolder.create(tmp_path / "mine", "dgemm", CONFIG, RECORD, exact=True)


def test_everything_of_a_record_comes_back_as_it_went_in(tmp_path: Path) -> None:
    parent, child = kernel("parent"), kernel("child")
    proposal = Proposal(
        child, "tune", "kc 256 -> 384", (parent.id,), CELL, {"genome": {"kc": 384, "order": ["j", "p"]}}
    )
    evaluation = dataclasses.replace(
        ok(child, CELL, 91.5, Duel(parent.id, 1.04, 1.02, 1.06, ((1.5, 2.0), (30.0,)), ((1.6, 2.2), (31.0,)))),
        detail="noisy machine",
        verification=VerificationResult(math.inf, 16.0, "componentwise", 63),
    )
    with new_run(tmp_path) as folder:
        number = folder.evaluations.add_proposal(proposal)
        folder.evaluations.add(number, evaluation, Placement.IMPROVED, {"rng": {"state": 2**127 + 1}})
    with RunFolder.open(folder.path) as reader:
        [record] = reader.evaluations.records()
        assert record.proposal == proposal
        assert record.evaluation == evaluation
        assert (record.placement, record.placed, record.number, record.proposal_id) == ("improved", True, 1, number)
        assert record.proposed_at <= record.finished_at
        assert reader.get_state("rng") == {"state": 2**127 + 1}
        assert reader.evaluations.kernel(child.id) == child


def test_records_come_in_the_order_of_their_commit_across_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qdkernel.runs.evaluations._PAGE", 3)
    with new_run(tmp_path) as folder:
        numbers = [folder.evaluations.add_proposal(Proposal(kernel(str(i)), "schedule", "")) for i in range(8)]
        for number in reversed(numbers):
            folder.evaluations.add(number, ok(kernel(str(number - 1)), CELL, number), Placement.NOT_ADDED, {})
        assert [record.proposal_id for record in folder.evaluations.records()] == numbers[::-1]
        assert [len(record.evaluation.timings) for record in folder.evaluations.records()] == [2] * 8


def test_numpy_numbers_are_stored_as_plain_ones(tmp_path: Path) -> None:
    subject = kernel("numpy")
    cell = Cell(*np.array(CELL))
    evaluation = dataclasses.replace(ok(subject, cell, np.float64(50.0)), step_s={"time": float(np.float64(0.5))})
    with new_run(tmp_path) as folder:
        number = folder.evaluations.add_proposal(
            Proposal(subject, "schedule", "", notes={"kc": np.int64(256)}, target=cell)
        )
        folder.evaluations.add(number, evaluation, Placement.NEW, {"draws": np.int64(3)})
        [record] = folder.evaluations.records()
        assert evaluation.behaviour is not None
        plain = dataclasses.replace(evaluation.behaviour, cell=CELL)
        assert record.evaluation == dataclasses.replace(evaluation, behaviour=plain)
        assert record.proposal.notes == {"kc": 256}
        assert folder.get_state("draws") == 3


def test_bytes_that_are_not_utf8_survive_in_a_source_and_do_not_stop_a_run_elsewhere(tmp_path: Path) -> None:
    subject = Kernel(b"/* caf\xe9 */\x00".decode("utf-8", "surrogateescape"))
    with new_run(tmp_path) as folder:
        number = folder.evaluations.add_proposal(Proposal(subject, "llm", "idea \ud800", notes={"said": "\udce9"}))
        folder.evaluations.add(
            number, Evaluation(subject.id, Outcome.POLICY_VIOLATION, "byte \udce9"), Placement.NONE, {}
        )
        [record] = folder.evaluations.records()
    assert record.proposal.kernel == subject
    assert record.proposal.kernel.id == record.evaluation.kernel_id
    assert record.proposal.idea == "idea \\ud800"
    assert record.evaluation.detail == "byte \\udce9"


def test_a_proposal_without_an_evaluation_is_in_flight(tmp_path: Path) -> None:
    first, second = Proposal(kernel("a"), "schedule", "first"), Proposal(kernel("b"), "tune", "second")
    with new_run(tmp_path) as folder:
        done, open_number = folder.evaluations.add_proposal(first), folder.evaluations.add_proposal(second)
        folder.evaluations.add(done, ok(first.kernel, CELL, 3.0), Placement.NEW, {})
    with RunFolder.open(folder.path, writable=True) as again:
        assert again.evaluations.unfinished() == [(open_number, second)]


def test_the_same_kernel_may_be_proposed_twice(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        numbers = [folder.evaluations.add_proposal(Proposal(kernel("same"), "schedule", f"try {i}")) for i in range(2)]
        assert numbers == [1, 2]
        assert [proposal.idea for _, proposal in folder.evaluations.unfinished()] == ["try 0", "try 1"]


def test_an_evaluation_that_does_not_fit_is_refused_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        number = folder.evaluations.add_proposal(Proposal(kernel("a"), "schedule", ""))
        with pytest.raises(ValueError, match=r"expected the number of a proposal of this run, got 99"):
            folder.evaluations.add(99, ok(kernel("a"), CELL, 1.0), Placement.NEW, {"rng": 1})
        with pytest.raises(ValueError, match=r"proposal 1 is of kernel \w{12}, but the evaluation is of \w{12}"):
            folder.evaluations.add(number, ok(kernel("b"), CELL, 1.0), Placement.NEW, {"rng": 1})
        folder.evaluations.add(number, ok(kernel("a"), CELL, 1.0), Placement.NEW, {"rng": 2})
        with pytest.raises(ValueError, match=r"proposal 1 was evaluated already \(evaluation 1\)"):
            folder.evaluations.add(number, ok(kernel("a"), CELL, 1.0), Placement.NEW, {"rng": 3})
        assert folder.get_state("rng") == 2
        assert folder.evaluations.count() == 1


def test_an_evaluation_and_its_state_are_committed_together_or_not_at_all(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        number = folder.evaluations.add_proposal(Proposal(kernel("a"), "schedule", ""))
        with pytest.raises(TypeError, match="expected a JSON value, got object"):
            folder.evaluations.add(number, ok(kernel("a"), CELL, 1.0), Placement.NEW, {"fine": 1, "bad": object()})
        assert folder.evaluations.count() == 0
        assert folder.get_state("fine", "absent") == "absent"
        assert [n for n, _ in folder.evaluations.unfinished()] == [number]


def test_elites_are_the_last_to_take_each_cell(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        other = parse_cell("none/scalar/serial/none")
        for gflops, cell, placement in [
            (5.0, CELL, Placement.NEW),
            (9.0, CELL, Placement.IMPROVED),
            (8.0, CELL, Placement.NOT_ADDED),
            (1.0, other, Placement.NEW),
        ]:
            subject = kernel(f"{gflops}")
            folder.evaluations.add(
                folder.evaluations.add_proposal(Proposal(subject, "s", "")), ok(subject, cell, gflops), placement, {}
            )
        held = elites(folder.evaluations.records())
    assert {cell: record.proposal.kernel for cell, record in held.items()} == {
        other: kernel("1.0"),
        CELL: kernel("9.0"),
    }
    assert list(held) == sorted(held)


def test_all_measurements_of_a_kernel_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qdkernel.runs.evaluations._PAGE", 2)
    own = [ok(kernel(name), CELL, gflops) for name, gflops in (("a", 50.0), ("b", 60.0), ("c", 70.0))]
    faster, fastest = ok(kernel("a"), CELL, 55.0), ok(kernel("a"), CELL, 58.0)
    slower = ok(kernel("c"), CELL, 65.0)
    with new_run(tmp_path) as folder:
        for evaluation, name in zip(own, "abc", strict=True):
            folder.evaluations.add(
                folder.evaluations.add_proposal(Proposal(kernel(name), "s", "")), evaluation, Placement.IMPROVED, {}
            )
        assert [folder.evaluations.add_remeasurement(1, measurement) for measurement in (faster, fastest, faster)] == [
            1,
            2,
            3,
        ]
        assert folder.evaluations.add_remeasurement(3, slower) == 1
    with RunFolder.open(folder.path) as reader:
        records = list(reader.evaluations.records())
        held = elites(records)
    measured = [own[0].measured, faster.measured, fastest.measured, faster.measured]
    together = [pooled([each for each in measured if each]), own[1].measured]
    together.append(pooled([each for each in (own[2].measured, slower.measured) if each]))
    expected = [dataclasses.replace(each, measured=score) for each, score in zip(own, together, strict=True)]
    assert [record.evaluation for record in records] == expected
    assert 50.0 < (records[0].evaluation.objective or 0.0) < 58.0
    assert [record.num_measurements for record in records] == [4, 1, 2]
    assert held == {CELL: records[2]}


def test_a_look_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    measurement = ok(kernel("a"), CELL, 5.0)
    with new_run(tmp_path) as folder:
        for name in "ab":
            number = folder.evaluations.add_proposal(Proposal(kernel(name), "s", ""))
            done = measurement if name == "a" else Evaluation(kernel("b").id, Outcome.WRONG)
            folder.evaluations.add(number, done, Placement.NEW if name == "a" else Placement.NONE, {})
        with pytest.raises(ValueError, match=r"expected the number of a record of this run, got 3"):
            folder.evaluations.add_remeasurement(3, measurement)
        with pytest.raises(ValueError, match=r"record 2 ended wrong; only a kernel that was ok is timed again"):
            folder.evaluations.add_remeasurement(2, ok(kernel("b"), CELL, 5.0))
        with pytest.raises(ValueError, match=r"record 1 is of kernel \w{12}, but the measurement is at \w{12}"):
            folder.evaluations.add_remeasurement(1, ok(kernel("b"), CELL, 5.0))
        with pytest.raises(ValueError, match=r"a measurement is an evaluation that ended ok; got timeout"):
            folder.evaluations.add_remeasurement(1, Evaluation(kernel("a").id, Outcome.TIMEOUT))
        assert [record.num_measurements for record in folder.evaluations.records()] == [1, 1]


def test_a_kernel_that_failed_later_is_retracted_and_its_predecessor_holds_the_cell_again(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        add_elite(folder, CELL, 5.0)
        faulty = add_elite(folder, CELL, 8.0)
        folder.evaluations.add_remeasurement(2, ok(faulty, CELL, 9.0))
        for _ in range(2):
            folder.evaluations.retract(faulty.id, Fault(Outcome.CRASHED, "SIGSEGV"))  # the second time says nothing new
        first, second = folder.evaluations.records()
        assert elites(folder.evaluations.records()) == {CELL: first}
        assert second.evaluation.outcome is Outcome.CRASHED
        assert second.evaluation.detail == "ended ok, then failed when it was timed again: SIGSEGV"
        assert (second.evaluation.objective, second.placed, second.num_measurements) == (None, False, 2)
        assert folder.evaluations.counts_by_outcome() == {Outcome.OK: 1, Outcome.CRASHED: 1}
        [event] = folder.events.all()
        assert event.kind == "retracted"


def test_who_failed_in_a_duel_is_retracted_with_the_winners_commit(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        incumbent, winner = add_elite(folder, CELL, 5.0), kernel("winner")
        duel = Duel(incumbent.id, math.inf, math.inf, math.inf, fault=Fault(Outcome.WRONG, "off by one"))
        won = ok(winner, CELL, 4.0, duel=duel)
        folder.evaluations.add(
            folder.evaluations.add_proposal(Proposal(winner, "tune", "")), won, Placement.IMPROVED, {}
        )
        first, second = folder.evaluations.records()
    assert first.evaluation.outcome is Outcome.WRONG
    assert second.evaluation.duel == duel
    assert elites([first, second]) == {CELL: second}


def test_outcomes_are_counted_in_their_order(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        breed(folder, 60)
        counts = folder.evaluations.counts_by_outcome()
        assert sum(counts.values()) == folder.evaluations.count() == 60
        assert list(counts) == [outcome for outcome in Outcome if outcome in counts]
        assert Outcome.LOST not in counts


def test_active_time_goes_on_where_the_last_session_stopped(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        folder.events.add(EventKind.STOPPED, "interrupted")
        stopped = folder.events.all()[0].elapsed_s
    with RunFolder.open(folder.path) as reader:
        assert reader.elapsed_s == stopped
    with RunFolder.open(folder.path, writable=True) as again:
        assert stopped < again.elapsed_s


def test_an_unknown_kernel_is_named(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder, pytest.raises(UnknownName, match="no kernel 'abc' in"):
        folder.evaluations.kernel(KernelId("abc"))


def test_the_provenance_of_a_proposal_comes_back_before_and_after_its_evaluation(tmp_path: Path) -> None:
    arm, of, shown = Arm("edit", "large"), KernelId("a" * 64), (KernelId("b" * 64),)
    for provenance in (Provenance(arm, CELL, "one thread", of, 2, {"pitfalls": 3}, shown), Provenance()):
        proposal = Proposal(kernel("made"), "repair", "an idea", notes={"genome": {"kc": 256}}, provenance=provenance)
        with new_run(tmp_path) as folder:
            number = folder.evaluations.add_proposal(proposal)
            assert folder.evaluations.unfinished() == [(number, proposal)]
            folder.evaluations.add(number, ok(proposal.kernel, CELL, 5.0), Placement.NEW, {})
            [record] = folder.evaluations.records()
        assert record.proposal == proposal
