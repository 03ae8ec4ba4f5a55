"""Conversations in a run folder: what was asked and answered stays, and nothing is paid for twice."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from qdkernel.core import Placement, Proposal, parse_cell
from qdkernel.errors import RunFolderError
from qdkernel.llm import CallFailed, Completion, FailureKind, Message, TokenUsage
from qdkernel.mutators.llm import Assignment, Expect
from qdkernel.runs import Bill, CallFailure, End, RunFolder, Spending
from qdkernel.runs.conversation_records import Ended
from tests.fake_runs import add_elite, ask, assignment, kernel, new_run, ok
from tests.paths import ROOT as REPOSITORY

CELL = parse_cell("packed/512/static/near")
REPLY = Completion("idea: pack B\n```c\nint x;\n```", "stop", 900, 120, attempts=2, cost=0.0125)


def test_a_conversation_comes_back_with_everything_said(tmp_path: Path) -> None:
    opening = Assignment(
        "edit",
        (Message("system", "é"), Message("user", "go")),
        Expect.EDITS,
        "int x;",
        (kernel("p").id,),
        CELL,
        {"a": 1},
    )
    with new_run(tmp_path) as folder:
        number = folder.conversations.add(opening, "big")
        first = folder.conversations.add_call(number, 0, opening.messages)
        folder.conversations.answer_call(first, REPLY)
        more = (*opening.messages, Message("assistant", REPLY.text), Message("user", "no block matched"))
        second = folder.conversations.add_call(number, 1, more)
        folder.conversations.fail_call(second, CallFailed(FailureKind.TIMEOUT, "no answer in 60 s", attempts=3))
        assert folder.conversations.end(number, End.FAILED, "no answer in 60 s") == Ended(None, ())
    with RunFolder.open(folder.path) as reader:
        [stored] = reader.conversations.all()
        assert reader.conversations.get(number) == stored
        assert reader.conversations.unended() == []
    assert (stored.id, stored.assignment, stored.model) == (number, opening, "big")
    assert (stored.ended, stored.reason) == (End.FAILED, "no answer in 60 s")
    answered, failed = stored.calls
    assert (answered.id, answered.turn, answered.messages, answered.reply) == (first, 0, opening.messages, REPLY.text)
    assert (answered.finish_reason, answered.prompt_tokens, answered.completion_tokens) == ("stop", 900, 120)
    assert (answered.attempts, answered.cost, answered.failure, answered.asked) == (2, 0.0125, None, 1)
    assert (failed.messages, failed.reply, failed.failure) == (
        more,
        None,
        CallFailure(FailureKind.TIMEOUT, "no answer in 60 s"),
    )
    assert (failed.attempts, failed.answered) == (3, True)
    assert answered.asked_at <= (answered.answered_at or "")
    assert answered.latency_s is not None
    assert answered.latency_s >= 0


def test_what_ends_a_conversation_is_committed_with_all_that_follows(tmp_path: Path) -> None:
    made = Proposal(kernel("made"), "program", "pack B", target=CELL)
    with new_run(tmp_path) as folder:
        plan = folder.conversations.add(assignment("plan"), "big")
        ended = folder.conversations.end(
            plan,
            End.PLAN,
            next_ones=[(assignment("program"), "big"), (assignment("program"), "small")],
            state={"arm": 3},
        )
        assert ended == Ended(None, (2, 3))
        assert [(c.id, c.model, c.calls) for c in folder.conversations.unended()] == [(2, "big", ()), (3, "small", ())]
        assert folder.get_state("arm") == 3
        proposal = folder.conversations.end(2, End.PROPOSAL, proposal=made).proposal_number
        assert proposal is not None
        assert folder.evaluations.unfinished() == [(proposal, made)]
        found = folder.conversations.of_proposal(proposal)
        assert found is not None
        assert (found.id, found.ended) == (2, End.PROPOSAL)
        folder.evaluations.add(proposal, ok(made.kernel, CELL, 50.0), Placement.NEW, {})
        add_elite(folder, CELL, 60.0)
        by_model, built_in = folder.evaluations.records()
        assert (by_model.conversation_id, by_model.model) == (2, "big")
        assert (built_in.conversation_id, built_in.model) == (None, None)
        assert folder.conversations.of_proposal(built_in.proposal_id) is None
        assert folder.conversations.counts_by_ending() == {
            ("plan", "big"): Counter({"plan": 1}),
            ("program", "big"): Counter({"proposal": 1}),
            ("program", "small"): Counter({"": 1}),
        }


def test_an_ending_that_does_not_fit_leaves_nothing_behind(tmp_path: Path) -> None:
    made = Proposal(kernel("made"), "edit", "")
    with new_run(tmp_path) as folder:
        number = folder.conversations.add(assignment("edit"), "big")
        with pytest.raises(ValueError, match=r"ends in 'proposal' exactly when it brings one; got 'nothing'"):
            folder.conversations.end(number, End.NOTHING, proposal=made)
        with pytest.raises(ValueError, match=r"ends in 'proposal' exactly when it brings one; got 'proposal'"):
            folder.conversations.end(number, End.PROPOSAL)
        with pytest.raises(ValueError, match=r"expected the number of a conversation of this run, got 9"):
            folder.conversations.end(9, End.NOTHING)
        with pytest.raises(TypeError, match="expected a JSON value, got object"):
            folder.conversations.end(number, End.PROPOSAL, proposal=made, state={"bad": object()})
        assert folder.evaluations.unfinished() == []
        assert [c.ended for c in folder.conversations.all()] == [None]
        folder.conversations.end(number, End.NOTHING, "prose only")
        with pytest.raises(ValueError, match=r"conversation 1 has ended already \(nothing\)"):
            folder.conversations.end(number, End.NOTHING)
        with pytest.raises(ValueError, match=r"conversation 1 has ended already"):
            folder.conversations.add_call(number, 0, ())


def test_a_request_without_an_answer_is_asked_again_under_its_number(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        number = folder.conversations.add(assignment("edit"), "big")
        call = folder.conversations.add_call(number, 0, assignment("edit").messages)
    with RunFolder.open(folder.path, writable=True) as again:
        [open_one] = again.conversations.unended()
        assert [(c.id, c.reply, c.answered) for c in open_one.calls] == [(call, None, False)]
        assert again.conversations.add_call(number, 0, open_one.calls[0].messages) == call
        again.conversations.answer_call(call, REPLY)
        [stored] = again.conversations.unended()[0].calls
        assert (stored.asked, stored.attempts) == (2, 3)  # the one that was killed, and the two of the reply
        with pytest.raises(ValueError, match=r"turn 0 of conversation 1 was answered already; use that answer"):
            again.conversations.add_call(number, 0, stored.messages)
        with pytest.raises(ValueError, match=r"call 1 was answered already, at 20"):
            again.conversations.answer_call(call, REPLY)
        with pytest.raises(ValueError, match=r"expected the number of a call of this run, got 77"):
            again.conversations.fail_call(77, CallFailed(FailureKind.SERVER, "500"))


def test_a_failed_call_is_answered_and_a_cancelled_one_is_not(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        number = folder.conversations.add(assignment("edit"), "big")
        failed, cancelled = folder.conversations.add_call(number, 0, ()), folder.conversations.add_call(number, 1, ())
        folder.conversations.fail_call(failed, CallFailed(FailureKind.KEY, "no key", attempts=0))
        folder.conversations.fail_call(cancelled, CallFailed(FailureKind.CANCELLED, "the run is ending", attempts=2))
        with pytest.raises(ValueError, match="turn 0 of conversation 1 was answered already"):
            folder.conversations.add_call(number, 0, ())
        assert folder.conversations.add_call(number, 1, ()) == cancelled
        assert folder.conversations.spending() == {"big": Spending(requests=3, failures=1)}


def test_spending_adds_up_by_model_and_bills_tell_when(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        for model, tokens in (("big", 100), ("small", 10), ("big", 200)):
            ask(folder, assignment("edit"), model, Completion("x", "stop", tokens, 5, 1, tokens / 8))
        folder.conversations.add_call(folder.conversations.add(assignment("edit"), "big"), 0, ())
        spending = folder.conversations.spending()
        bills = folder.conversations.bills()
    assert spending == {
        "big": Spending(3, 300, 10, 37.5, 2, 0),
        "small": Spending(1, 10, 5, 1.25, 1, 0),
    }
    total = sum(spending.values(), Spending())
    assert (total.requests, total.tokens, total.replies) == (4, 325, 3)
    assert [(bill.tokens, bill.cost) for bill in bills] == [(105, 12.5), (15, 1.25), (205, 25.0)]
    assert bills == sorted(bills, key=lambda bill: bill.elapsed_s)
    assert all(isinstance(bill, Bill) and bill.elapsed_s >= 0 for bill in bills)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\x00b",
        "lone \ud800 surrogate",
        "byte \udce9",
        "\U0001f600 é\r\n\t",
        "x" * (256 << 10),
        "\x00",
        "\ufeff'\";--",
    ],
    ids=["empty", "nul", "surrogate", "escaped", "unicode", "large", "only_nul", "quotes"],
)
def test_whatever_a_model_says_is_kept_to_the_character(tmp_path: Path, text: str) -> None:
    opening = Assignment("edit", (Message("user", text),), Expect.KERNEL, base=text)
    with new_run(tmp_path) as folder:
        number = folder.conversations.add(opening, "big")
        folder.conversations.answer_call(folder.conversations.add_call(number, 0, opening.messages), Completion(text))
        folder.conversations.fail_call(
            folder.conversations.add_call(number, 1, ()), CallFailed(FailureKind.GARBLED, text)
        )
        folder.conversations.end(number, End.NOTHING, reason=text)
        [stored] = folder.conversations.all()
    assert stored.assignment == opening
    assert (stored.calls[0].messages, stored.calls[0].reply) == (opening.messages, text)
    assert stored.calls[1].failure is not None
    assert stored.calls[1].failure.kind is FailureKind.GARBLED


def test_conversations_come_in_order_across_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qdkernel.runs.conversations._PAGE", 2)
    with new_run(tmp_path) as folder:
        for number in range(5):
            ask(folder, assignment(f"operator {number}"), "big", REPLY)
        assert [c.id for c in folder.conversations.all()] == [1, 2, 3, 4, 5]
        assert [c.assignment.operator for c in folder.conversations.all()][4] == "operator 4"
        assert [len(c.calls) for c in folder.conversations.all()] == [1] * 5


def test_a_reader_may_not_converse(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        folder.conversations.add(assignment("edit"), "big")
    with RunFolder.open(folder.path) as reader, pytest.raises(RunFolderError, match="opened for reading"):
        reader.conversations.add_call(1, 0, ())


def test_the_runs_clock_goes_on_from_the_last_reply(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        ask(folder, assignment("edit"), "big", REPLY)
        [bill] = folder.conversations.bills()
    with RunFolder.open(folder.path) as reader:
        assert reader.elapsed_s == bill.elapsed_s


def test_a_reply_that_comes_after_the_folder_was_closed_is_told(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        call = folder.conversations.add_call(folder.conversations.add(assignment("edit"), "big"), 0, ())
    with pytest.raises(RunFolderError, match="the database cannot be used"):
        folder.conversations.answer_call(call, REPLY)
    with RunFolder.open(folder.path) as reader:
        assert not reader.conversations.get(1).calls[0].answered


def _converse(folder: RunFolder, worker: int, turns: int) -> list[int]:
    proposals = []
    for turn in range(turns):
        name = f"{worker} {turn}"
        number = folder.conversations.add(assignment("edit", name), f"model {worker}")
        call = folder.conversations.add_call(number, 0, assignment("edit", name).messages)
        folder.conversations.answer_call(
            call, Completion(f"reply {name} " * 500, prompt_tokens=10, completion_tokens=1, cost=0.5)
        )
        ended = folder.conversations.end(number, End.PROPOSAL, proposal=Proposal(kernel(name), "edit", name))
        assert ended.proposal_number is not None
        proposals.append(ended.proposal_number)
        assert folder.conversations.get(number).calls[0].reply == f"reply {name} " * 500
    return proposals


def test_eight_threads_converse_while_another_evaluates(tmp_path: Path) -> None:
    turns = 6
    with new_run(tmp_path) as folder, ThreadPoolExecutor(8) as pool:
        under_way = [pool.submit(_converse, folder, worker, turns) for worker in range(8)]
        for number in range(20):
            add_elite(folder, CELL, 1.0 + number)
            assert len(list(folder.evaluations.records())) == number + 1
        proposals = [number for done in under_way for number in done.result()]
        assert len(set(proposals)) == 8 * turns
        assert {number for number, _ in folder.evaluations.unfinished()} == set(proposals)
        for number, proposal in folder.evaluations.unfinished():
            found = folder.conversations.of_proposal(number)
            assert found is not None
            assert found.assignment == assignment("edit", proposal.idea)
        assert folder.conversations.spending() == {
            f"model {worker}": Spending(turns, 10 * turns, turns, turns / 2, turns, 0) for worker in range(8)
        }


ASKER = """
import sys, threading
from pathlib import Path
from qdkernel.llm import Completion
from qdkernel.runs import End
from tests.fake_runs import assignment, new_run
folder = new_run(Path(sys.argv[1]))
def converse(worker):
    for turn in range(100_000):
        number = folder.conversations.add(assignment("edit"), "big")
        call = folder.conversations.add_call(number, 0, assignment("edit").messages)
        folder.conversations.answer_call(call, Completion(f"{worker} {turn}" * 1000))
        print(call, flush=True)
        folder.conversations.end(number, End.NOTHING, "prose")
print(folder.path, flush=True)
for worker in range(4):
    threading.Thread(target=converse, args=(worker,)).start()
"""


def test_failed_and_cancelled_calls_cost_what_their_requests_cost(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        number = folder.conversations.add(assignment("edit"), "big")
        call = folder.conversations.add_call(number, 0, ())
        folder.conversations.fail_call(
            call, CallFailed(FailureKind.CANCELLED, "closing", 2, TokenUsage(100, 50, 0.5, 150))
        )
        assert folder.conversations.add_call(number, 0, ()) == call  # asked again after the stop
        folder.conversations.fail_call(call, CallFailed(FailureKind.EMPTY, "empty", 1, TokenUsage(90, 10, 0.25)))
        assert folder.conversations.spending() == {"big": Spending(3, 190, 60, 0.75, 0, 1, 150)}
        assert [bill.tokens for bill in folder.conversations.bills()] == [250]


def test_kill_9_loses_no_reply_that_was_committed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ASKER, tmp_path], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    ) as child:
        assert child.stdout is not None
        path = Path(child.stdout.readline().strip())
        printed = [int(child.stdout.readline()) for _ in range(20)]
        os.kill(child.pid, signal.SIGKILL)
        printed += [int(line) for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    with RunFolder.open(path, writable=True) as again:
        answered = {call.id for c in again.conversations.all() for call in c.calls if call.answered}
        assert set(printed) <= answered
        assert len(again.conversations.unended()) <= 4
        assert again.conversations.spending()["big"].replies == len(answered)
    with sqlite3.connect(path / "run.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    database.close()


def test_a_reply_that_is_no_text_is_reported_with_its_place(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        number = folder.conversations.add(Assignment("edit", (), Expect.KERNEL, base=""), "big")
        folder.conversations.answer_call(folder.conversations.add_call(number, 0, ()), REPLY)
    database = sqlite3.connect(folder.path / "run.db")
    database.execute("UPDATE model_calls SET reply = ?", (b"\xff\x00",))
    database.commit()
    database.close()
    with (
        RunFolder.open(folder.path) as reader,
        pytest.raises(RunFolderError, match=r"model_calls.reply, row 1: .*expected text in UTF-8, got .* is damaged"),
    ):
        list(reader.conversations.all())
