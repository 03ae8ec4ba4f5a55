"""The programmed server itself: scripts, kernels, misbehaviour on the wire, and a person as the model."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from qdkernel.core import Kernel, Outcome
from qdkernel.evaluators.pipeline import EvaluationContext, evaluate
from qdkernel.llm import CallFailed, Completion, Endpoint, EndpointSpec, Message
from tests.llm_server import (
    LESSON,
    NUM_KERNELS,
    REPLIES,
    Answer,
    Body,
    Bridge,
    ModelServer,
    Script,
    asks_for,
    by_operator,
    in_turn,
    kernel_source,
    kernels,
    transcripts,
)
from tests.paths import ROOT, TRANSCRIPTS

PROMPTS = ROOT / "qdkernel" / "mutators" / "llm" / "prompts" / "templates"


def body_of(text: str, **fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": text}], **fields}


def post(server: ModelServer, body: Any, path: str = "/v1/chat/completions") -> tuple[int, bytes]:
    return request("POST", server, path, json.dumps(body).encode())


def request(method: str, server: ModelServer, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(urlsplit(server.base_url).netloc, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, response.read()


def said(script: Script, body: Body) -> str:
    answer = script(body, 0)
    return answer if isinstance(answer, str) else str(getattr(answer, "text", answer))


# -- the server -------------------------------------------------------------------------------------------------------


def test_the_models_are_listed() -> None:
    with ModelServer(in_turn("x")) as server:
        status, body = request("GET", server, "/v1/models")
    assert (status, [model["id"] for model in json.loads(body)["data"]]) == (200, ["scripted"])
    assert server.requests == []


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/elsewhere"), ("POST", "/v1/responses")])
def test_an_unknown_path_is_not_found(method: str, path: str) -> None:
    with ModelServer(in_turn("x")) as server:
        assert request(method, server, path, b"{}")[0] == 404


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}"])
def test_a_request_that_is_none_is_rejected(body: bytes) -> None:
    with ModelServer(in_turn("x")) as server:
        assert request("POST", server, "/v1/chat/completions", body)[0] == 400


def test_an_exception_of_the_script_is_the_tests_to_see() -> None:
    def script(body: Body, number: int) -> Answer:
        raise LookupError("nothing to say")

    with pytest.raises(LookupError, match="nothing to say"), ModelServer(script) as server:
        assert post(server, body_of("x"))[0] == 500


def test_a_request_is_kept_as_it_came() -> None:
    with ModelServer(in_turn("x")) as server:
        post(server, body_of("hello", top_k=3))
        post(server, body_of("again"))
    assert [received.number for received in server.requests] == [0, 1]
    assert server.requests[0].body == body_of("hello", top_k=3)
    assert server.requests[0].headers["content-length"] == str(len(json.dumps(body_of("hello", top_k=3))))
    assert server.requests[0].time_s <= server.requests[1].time_s


def test_a_delayed_answer_comes_after_its_delay() -> None:
    with ModelServer(in_turn(Answer("x", delay_s=0.05))) as server:
        start = time.monotonic()
        post(server, body_of("x"))
        assert time.monotonic() - start >= 0.05


def test_closing_ends_requests_that_hang() -> None:
    with ModelServer(in_turn(Answer(hang_s=600.0))) as server, ThreadPoolExecutor(1) as pool:
        call = pool.submit(post, server, body_of("x"))
        while not server.requests:
            time.sleep(0.005)
        server.stopping.set()
        assert isinstance(call.exception(timeout=10), http.client.HTTPException | OSError)


def test_the_peak_counts_requests_under_way_at_once() -> None:
    together = threading.Barrier(8, timeout=10)

    def script(body: Body, number: int) -> str:
        together.wait()
        return "x"

    with ModelServer(script) as server, ThreadPoolExecutor(8) as pool:
        assert {status for status, _ in pool.map(lambda _: post(server, body_of("x")), range(16))} == {200}
    assert server.in_flight_peak == 8


# -- scripts ----------------------------------------------------------------------------------------------------------


def test_answers_in_turn_end_with_the_last_for_ever() -> None:
    script = in_turn("a", Answer("b"), "c")
    assert [script(body_of("x"), number) for number in range(5)] == ["a", Answer("b"), "c", "c", "c"]


def test_no_answers_at_all_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="expected at least one answer, got none"):
        in_turn()


def test_answers_are_found_by_a_word_of_the_last_user_message() -> None:
    script = by_operator({"REPLACE": ["first edit", "later edit"], "C file": "a kernel", "JSON": in_turn("p", "q")})
    asked = ["use REPLACE", "the C file", "REPLACE the C file", "JSON", "JSON", "REPLACE"]
    answers = ["first edit", "a kernel", "later edit", "p", "q", "later edit"]
    assert [script(body_of(text), 0) for text in asked] == answers
    with pytest.raises(LookupError, match=r"expected one of \['C file', 'JSON', 'REPLACE'\].*got 'poem'"):
        script(body_of("poem"), 0)


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("edit", "edit"),
        ("rewrite", "rewrite"),
        ("program", "rewrite"),
        ("cross", "cross"),
        ("repair", "repair"),
        ("plan", "plan"),
        ("reflect", "text"),
        ("revise", "text"),
    ],
)
def test_every_prompt_of_the_project_is_recognised(prompt: str, kind: str) -> None:
    assert asks_for(body_of((PROMPTS / f"{prompt}.txt").read_text(encoding="utf-8"))) == kind


def test_no_prompt_of_the_project_is_forgotten_here() -> None:
    known = {"edit", "rewrite", "program", "cross", "repair", "plan", "next", "reflect", "revise", "system"}
    asks_no_model = {"agent"}
    assert {path.stem for path in PROMPTS.glob("*.txt")} == known | asks_no_model


@pytest.mark.parametrize("path", sorted(TRANSCRIPTS.glob("*.json")), ids=lambda path: path.stem)
def test_a_request_of_a_transcript_gets_its_own_reply(path: Path) -> None:
    file = json.loads(path.read_text(encoding="utf-8"))
    assert said(transcripts(), file["request"]) == file["reply"]


@pytest.mark.parametrize("kind", ["edit", "rewrite", "cross", "plan"])
def test_replies_of_a_kind_take_turns(kind: str) -> None:
    replies = [
        json.loads(path.read_text(encoding="utf-8"))["reply"] for path in sorted(TRANSCRIPTS.glob(f"*-{kind}.json"))
    ]
    script, body = transcripts(), body_of((PROMPTS / f"{kind}.txt").read_text(encoding="utf-8"))
    assert [said(script, body) for _ in range(len(replies) + 1)] == [*replies, replies[0]]


def test_edits_that_fit_the_kernel_shown_go_before_others() -> None:
    file = json.loads((TRANSCRIPTS / "11-edit.json").read_text(encoding="utf-8"))
    shown = file["request"]["messages"][-1]["content"] + "\n" + (PROMPTS / "edit.txt").read_text(encoding="utf-8")
    script = transcripts()
    assert file["reply"] in [said(script, body_of(shown)) for _ in range(3)]


def test_repairs_that_need_no_fitting_kernel_go_before_those_that_do() -> None:
    script, body = transcripts(), body_of((PROMPTS / "repair.txt").read_text(encoding="utf-8"))
    assert not any("<<<<<<< SEARCH" in said(script, body) for _ in range(3))


def test_lessons_are_a_sentence() -> None:
    assert said(transcripts(), body_of("What did you learn?")) == LESSON


# -- kernels ----------------------------------------------------------------------------------------------------------


def test_the_kernels_are_all_different_and_more_than_enough() -> None:
    assert NUM_KERNELS >= 512
    assert len({kernel_source(number) for number in range(NUM_KERNELS)}) == NUM_KERNELS


@pytest.mark.parametrize("number", [0, 7, 300])
def test_the_kernels_are_correct(number: int, context: EvaluationContext) -> None:
    evaluation = evaluate(context, Kernel(kernel_source(number)))
    assert (evaluation.outcome, evaluation.detail) == (Outcome.OK, "")


def test_every_request_for_a_kernel_gets_another_one() -> None:
    script = kernels()
    edit, rewrite = ((PROMPTS / f"{name}.txt").read_text(encoding="utf-8") for name in ("edit", "rewrite"))
    replies = [said(script, body_of(text)) for text in (edit, rewrite, edit, rewrite)]
    assert len({reply.partition("```c\n")[2] for reply in replies}) == 4
    assert all(reply.startswith("IDEA: blocks of ") for reply in replies)


def test_kernels_also_come_with_plans_and_lessons() -> None:
    script = kernels()
    plan = json.loads(said(script, body_of((PROMPTS / "plan.txt").read_text(encoding="utf-8"))))
    assert [set(strategy) for strategy in plan] == [{"parent", "target", "strategy"}] * 3
    assert said(script, body_of((PROMPTS / "reflect.txt").read_text(encoding="utf-8"))) == LESSON


# -- by hand ----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "tests.llm_server", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    with process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def ask(url: str, text: str, timeout_s: float = 10.0) -> Completion:
    spec = EndpointSpec("bridge", url, "person", timeout_s=timeout_s, attempts=1)
    with contextlib.closing(Endpoint(spec, {})) as endpoint:
        return endpoint.complete((Message("user", text),))


def wait_for(path: Path) -> Path:
    deadline = time.monotonic() + 10
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} does not appear"
        time.sleep(0.01)
    return path


def test_a_person_can_be_the_model(tmp_path: Path) -> None:
    folder = tmp_path / "bridge"
    with running("--bridge", str(folder)) as (process, url), ThreadPoolExecutor(2) as pool:
        first = pool.submit(ask, url, "one")
        asked = json.loads(wait_for(folder / "001.request.json").read_text(encoding="utf-8"))
        assert asked["messages"] == [{"role": "user", "content": "one"}]
        second = pool.submit(ask, url, "two")
        wait_for(folder / "002.request.json")
        (folder / "half").write_text("reply to two", encoding="utf-8")
        os.replace(folder / "half", folder / "002.reply.txt")  # out of order, renamed into place
        assert second.result().text == "reply to two"
        with (folder / "001.reply.txt").open("w", encoding="utf-8") as file:  # written in place, in pieces
            for piece in ("reply ", "to ", "one"):
                file.write(piece)
                file.flush()
                time.sleep(0.03)
        assert first.result().text == "reply to one"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=10)
    assert (process.returncode, output) == (0, "")
    assert errors.splitlines() == [
        "001.request.json waits for 001.reply.txt",
        "002.request.json waits for 002.reply.txt",
    ]


def test_a_client_that_hangs_up_finds_the_reply_when_it_asks_again(tmp_path: Path) -> None:
    with ModelServer(Bridge(tmp_path)) as server:
        with pytest.raises(CallFailed):
            ask(server.base_url, "slow?", timeout_s=0.1)
        wait_for(tmp_path / "001.request.json")
        time.sleep(0.15)  # until the server has noticed
        (tmp_path / "001.reply.txt").write_text("slow, but here", encoding="utf-8")
        assert ask(server.base_url, "slow?").text == "slow, but here"
        (tmp_path / "002.reply.txt").write_text("another", encoding="utf-8")
        assert ask(server.base_url, "slow?").text == "another"  # an answer is given once
    with ModelServer(Bridge(tmp_path)) as server, ThreadPoolExecutor(1) as pool:
        call = pool.submit(ask, server.base_url, "slow?")
        wait_for(tmp_path / "003.request.json")  # numbers go on, and old replies answer nothing
        (tmp_path / "003.reply.txt").write_text("third", encoding="utf-8")
        assert call.result().text == "third"


def test_a_ready_script_is_served_by_name_and_ends_cleanly() -> None:
    with running("--script", "good", "--latency", "0.05") as (process, url):
        start = time.monotonic()
        assert ask(url, "x").text == REPLIES["good"]
        assert time.monotonic() - start >= 0.05
        process.terminate()
        output, errors = process.communicate(timeout=10)
    assert (process.returncode, output, errors) == (0, "", "")


def test_an_unknown_script_lists_the_known_ones() -> None:
    with running("--script", "kernel") as (process, _):
        assert process.stderr is not None
        assert "'kernels', 'list'" in process.stderr.read()
