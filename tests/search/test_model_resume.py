"""Runs with models that are replayed, killed and interrupted."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from qdkernel.runs import EventKind, RunFolder
from tests.forked import forked
from tests.llm_server import REPLIES, Answer, ModelServer, by_operator
from tests.model_runs import (
    EVALUATIONS,
    ONLY_REWRITE,
    by_model,
    command,
    environment,
    evolve,
    kernel,
    model,
    proposals,
    records,
    reply,
)
from tests.search.test_loop import wait_for_evaluations, wait_until_none


@pytest.mark.slow
def test_a_replay_proposes_the_same_and_asks_nobody(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    wrong_first = by_operator(
        {"result is wrong": REPLIES["mends-wrong"], "": [REPLIES["wrong"], *map(reply, map(kernel, range(2, 14)))]}
    )
    mutators = "mutators=[{name: schedule}, {name: rewrite}]"
    with ModelServer(wrong_first) as server:
        evolve(first, model(server.base_url), EVALUATIONS, "budget.evaluations=12", mutators)
        asked = len(server.requests)
        evolve(second, model(server.base_url), "budget.minutes=0.001", mutators, more=["--replay", str(first)])
        assert len(server.requests) == asked
    assert proposals(first) == proposals(second)
    assert len(by_model(second)) >= len(by_model(first)) > 0
    with RunFolder.open(second) as folder:
        assert folder.events.all()[-1].text == "replayed"
        assert not [event for event in folder.events.all() if event.kind is EventKind.REPLAY]


@pytest.mark.slow
def test_kill_9_with_requests_in_flight_asks_again_only_what_was_not_answered(tmp_path: Path) -> None:
    run = tmp_path / "run"

    def script(body: object, number: int) -> Answer:
        return Answer(reply(kernel(number % 15 + 2), f"idea {number}"), delay_s=0.0 if number < 4 else 1.5)

    with ModelServer(script) as server:
        settings = (model(server.base_url, parallel=4), "budget.minutes=5", *ONLY_REWRITE)
        with forked(command(run, *settings), environment()) as process:
            wait_for_evaluations(run, 4)
            wait_for_requests(server, 6)
            process.kill()
        with RunFolder.open(run) as folder:
            before = list(folder.conversations.all())
        answered = [call for c in before for call in c.calls if call.answered]
        unanswered = [call for c in before for call in c.calls if not call.answered]
        assert answered
        assert unanswered
        num_before = len(server.requests)
        more = (EVALUATIONS, f"budget.requests={len(answered) + 2 * len(unanswered)}", *ONLY_REWRITE)
        evolve(run, model(server.base_url, parallel=4), *more, more=["--resume"])
        again = server.requests[num_before:]
    assert len(again) == len(unanswered)
    assert {json.dumps(request.body["messages"]) for request in again} == {
        json.dumps([{"role": m.role, "content": m.content} for m in call.messages]) for call in unanswered
    }
    with RunFolder.open(run) as folder:
        after = {c.id: c for c in folder.conversations.all()}
        assert folder.conversations.unended() == []
        assert folder.evaluations.unfinished() == []
    for conversation in before:
        for call in conversation.calls:
            if call.answered:
                assert call in after[conversation.id].calls
    assert len({r.proposal_id for r in records(run)}) == len(records(run))
    wait_until_none()


def wait_for_requests(server: ModelServer, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(server.requests) < count and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(server.requests) >= count


@pytest.mark.slow
def test_an_interrupt_keeps_the_replies_that_come_in_time(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with ModelServer(lambda body, number: Answer(reply(kernel(number % 15 + 2)), delay_s=1.0)) as server:
        slow = command(run, model(server.base_url), "budget.minutes=5", *ONLY_REWRITE)
        with forked(slow, environment()) as process:
            wait_for_requests(server, 3)
            process.send_signal(signal.SIGINT)
            done = process.finish(60)
        assert done.returncode == 130, done.stderr
        assert "interrupted; continue with --resume" in done.stdout
        with RunFolder.open(run) as folder:
            before = list(folder.conversations.all())
            assert all(call.answered for conversation in before for call in conversation.calls)
            waiting = len(folder.evaluations.unfinished())
            evaluated = folder.evaluations.count()
        more = (EVALUATIONS, f"budget.evaluations={evaluated + waiting}", *ONLY_REWRITE)
        evolve(run, model(server.base_url), *more, more=["--resume"])
    with RunFolder.open(run) as folder:
        after = {conversation.id: conversation.calls for conversation in folder.conversations.all()}
    for conversation in before:
        calls = after[conversation.id]
        assert set(conversation.calls) <= set(calls)
        assert len({call.turn for call in calls}) == len(calls)  # nothing was asked twice
    assert len(records(run)) == evaluated + waiting
