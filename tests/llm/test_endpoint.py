"""The client against a real server on the loopback interface."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from qdkernel.llm import CallFailed, Completion, FailureKind, Message
from tests.llm.endpoints import ASK, BOTH, KEY, Waits, connected, fail
from tests.llm_server import FAILURES, REPLIES, Answer, Body, Script, in_turn

# -- replies ----------------------------------------------------------------------------------------------------------


@BOTH
def test_a_reply_comes_with_its_token_counts_and_cost(stream: bool) -> None:
    text = "void dgemm(void) {}\n" * 20
    with connected(in_turn(text), stream=stream, input_price=2.0, output_price=10.0) as (endpoint, _):
        completion = endpoint.complete(ASK)
    prompt = (len(ASK[0].content) + len(ASK[1].content)) // 4
    assert completion == Completion(text, "stop", prompt, 100, 1, (2.0 * prompt + 10.0 * 100) / 1e6)


def test_the_request_holds_what_the_configuration_says_and_the_key_only_as_a_header() -> None:
    with connected(in_turn("x"), temperature=0.5, max_tokens=100, extra={"top_k": 20}) as (endpoint, server):
        endpoint.complete(ASK)
    (request,) = server.requests
    assert request.body == {
        "model": "scripted",
        "messages": [{"role": message.role, "content": message.content} for message in ASK],
        "max_tokens": 100,
        "temperature": 0.5,
        "top_k": 20,
    }
    assert request.headers["authorization"] == f"Bearer {KEY}"


def test_a_streamed_request_asks_for_token_counts() -> None:
    with connected(in_turn("x"), stream=True) as (endpoint, server):
        endpoint.complete(ASK)
    assert server.requests[0].body["stream"] is True
    assert server.requests[0].body["stream_options"] == {"include_usage": True}


@BOTH
def test_a_reply_cut_at_the_token_limit_says_so(stream: bool) -> None:
    with connected(in_turn(Answer("void", finish="length")), stream=stream) as (endpoint, _):
        assert endpoint.complete(ASK).finish_reason == "length"


@BOTH
def test_missing_token_counts_are_estimated_from_the_characters(stream: bool) -> None:
    answer = Answer("<think>1234567</think>" + "x" * 328, usage=False)
    with connected(in_turn(answer), stream=stream, output_price=1e6) as (endpoint, _):
        completion = endpoint.complete((Message("user", "u" * 35),))
    assert (completion.prompt_tokens, completion.completion_tokens, completion.cost) == (10, 100, 100.0)


@pytest.mark.parametrize("usage", [0, -1, "many", None, True, 1e300, 10**30])
def test_absurd_token_counts_are_estimated(usage: object) -> None:
    choices = [{"message": {"content": "x" * 35}, "finish_reason": "stop"}]
    counts = {"prompt_tokens": usage, "completion_tokens": usage}
    raw = json.dumps({"choices": choices, "usage": counts}).encode()
    with connected(in_turn(Answer(raw=raw))) as (endpoint, _):
        assert endpoint.complete(ASK).completion_tokens == 10


@BOTH
def test_thinking_at_the_beginning_is_left_out(stream: bool) -> None:
    text = "\n<think>\nHm. <b> & so on.\n</think>\n\nIDEA: <think> is a word here"
    with connected(in_turn(text), stream=stream) as (endpoint, _):
        assert endpoint.complete(ASK).text == "IDEA: <think> is a word here"


def test_a_vendors_thinking_field_is_ignored_and_text_parts_are_joined() -> None:
    parts = [{"type": "text", "text": "void "}, {"type": "image"}, 7, {"type": "text", "text": "f();"}]
    message = {"content": parts, "reasoning_content": "hm", "reasoning": "hm"}
    raw = json.dumps({"choices": [{"message": message}]}).encode()
    with connected(in_turn(Answer(raw=raw))) as (endpoint, _):
        assert endpoint.complete(ASK).text == "void f();"


def test_half_a_surrogate_pair_neither_stops_a_request_nor_enters_a_reply() -> None:
    raw = b'{"choices": [{"message": {"content": "a\\ud800b"}, "finish_reason": "stop"}]}'
    with connected(in_turn(Answer(raw=raw))) as (endpoint, server):
        text = endpoint.complete((Message("user", "caf\udce9"),)).text
    assert text == "a?b"
    assert server.requests[0].body["messages"][0]["content"] == "caf?"


def test_a_server_that_does_not_stream_is_understood_though_a_stream_was_asked_for() -> None:
    raw = b'{"choices": [{"message": {"content": "void"}, "finish_reason": "stop"}]}'
    with connected(in_turn(Answer(raw=raw)), stream=True) as (endpoint, _):
        assert endpoint.complete(ASK).text == "void"


def test_a_stream_cut_after_its_finish_reason_is_complete() -> None:
    with connected(in_turn(Answer("void f();" * 2, cut_after=5)), stream=True) as (endpoint, server):
        completion = endpoint.complete(ASK)
    assert completion.text == "void f();" * 2
    assert (completion.completion_tokens, len(server.requests)) == (5, 1)


def test_of_several_streamed_replies_the_first_is_read() -> None:
    chunks = [{"index": index, "delta": {"content": text}} for index, text in ((0, "a"), (1, "x"), (0, "b"), (1, "y"))]
    ends: list[dict[str, object]] = [{"index": index, "delta": {}, "finish_reason": "stop"} for index in (1, 0)]
    raw = "".join(f"data: {json.dumps({'choices': [choice]})}\n\n" for choice in [*chunks, *ends]).encode()
    answer = Answer(raw=raw, headers={"Content-Type": "text/event-stream"})
    with connected(in_turn(answer), stream=True, extra={"n": 2}) as (endpoint, _):
        assert endpoint.complete(ASK).text == "ab"


def test_a_stream_may_come_in_any_pieces_with_comments_and_other_line_ends() -> None:
    delta = json.dumps({"choices": [{"delta": {"content": "é🙂"}, "finish_reason": None}]}, ensure_ascii=False)
    end = json.dumps({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    raw = f": keep-alive\r\nevent: x\r\ndata:{delta}\r\n\r\ndata: {{}}\n\ndata: {end}".encode()
    answer = Answer(raw=raw, headers={"Content-Type": "text/event-stream; charset=utf-8"})
    with connected(in_turn(answer), stream=True) as (endpoint, _):
        assert endpoint.complete(ASK).text == "é🙂"


@pytest.mark.parametrize("name", [name for name in REPLIES if name != "one-megabyte"])
def test_what_a_reply_says_is_none_of_the_clients_business(name: str) -> None:
    with connected(in_turn(REPLIES[name]), stream=True) as (endpoint, _):
        assert endpoint.complete(ASK).text == REPLIES[name].partition("</s>")[0]  # where a template token begins


# -- what servers do not know -----------------------------------------------------------------------------------------


def picky(refused: str, error: Mapping[str, object], message: str, status: int = 400) -> Script:
    def script(body: Body, number: int) -> Answer:
        return Answer(message, status, error=error) if refused in body else Answer("void")

    return script


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ({"param": "max_tokens", "code": "unsupported_parameter"}, "Unsupported parameter."),
        ({}, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
    ],
)
def test_max_tokens_gives_way_to_max_completion_tokens_for_good(error: Mapping[str, object], message: str) -> None:
    waits = Waits()
    with connected(picky("max_tokens", error, message), waits, max_tokens=77) as (endpoint, server):
        assert endpoint.complete(ASK).attempts == 2
        assert endpoint.complete(ASK).attempts == 1
    assert "max_tokens" not in server.requests[1].body
    assert server.requests[1].body["max_completion_tokens"] == 77
    assert waits.seconds == []


def test_a_refused_temperature_is_left_out() -> None:
    script = picky(
        "temperature", {"param": "temperature", "code": "unsupported_value"}, "Only the default is supported"
    )
    with connected(script, temperature=0.8) as (endpoint, server):
        assert endpoint.complete(ASK).attempts == 2
    assert ["temperature" in request.body for request in server.requests] == [True, False]


def test_refused_stream_options_are_left_out_and_tokens_estimated() -> None:
    script = picky("stream_options", {}, "extra inputs: stream_options", status=422)
    with connected(script, stream=True) as (endpoint, server):
        completion = endpoint.complete(ASK)
    assert (completion.attempts, completion.completion_tokens) == (2, 1)
    assert ["stream_options" in request.body for request in server.requests] == [True, False]


def test_finding_out_what_a_server_knows_costs_none_of_the_attempts() -> None:
    def script(body: Body, number: int) -> Answer:
        for field_name in ("max_tokens", "temperature", "stream_options"):
            if field_name in body:
                return Answer(f"{field_name} is not supported", 400)
        return Answer("void")

    with connected(script, stream=True, temperature=1.0, attempts=1) as (endpoint, _):
        assert endpoint.complete(ASK).attempts == 4


def test_a_field_of_the_configuration_that_is_refused_is_not_asked_with_for_ever() -> None:
    error, server = fail(picky("temperature", {}, "temperature is not supported"), extra={"temperature": 1.0})
    assert (error.kind, len(server.requests)) == (FailureKind.REJECTED, 2)


# -- stopping and load ------------------------------------------------------------------------------------------------


@BOTH
def test_a_run_that_stops_between_attempts_cancels_the_call(stream: bool) -> None:
    error, server = fail(in_turn(FAILURES["server-error"]), Waits(stop_at=2), stream=stream)
    assert (error.kind, len(server.requests)) == (FailureKind.CANCELLED, 2)
    assert str(error) == "the run stopped meanwhile"


def test_a_closed_endpoint_sends_nothing() -> None:
    with connected(in_turn("x")) as (endpoint, server):
        endpoint.close()
        with pytest.raises(CallFailed) as caught:
            endpoint.complete(ASK)
    assert (caught.value.kind, caught.value.attempts, server.requests) == (FailureKind.CANCELLED, 0, [])


def test_closing_while_a_request_is_under_way_cancels_the_call() -> None:
    asked = threading.Event()

    def script(body: Body, number: int) -> Answer:
        asked.set()
        return Answer(hang_s=0.2)

    with connected(script) as (endpoint, _), ThreadPoolExecutor(1) as pool:
        call = pool.submit(endpoint.complete, ASK)
        asked.wait()
        endpoint.close()
        error = call.exception()
    assert isinstance(error, CallFailed)
    assert (error.kind, error.attempts) == (FailureKind.CANCELLED, 1)


@BOTH
def test_thirty_two_threads_share_one_endpoint(stream: bool) -> None:
    together = threading.Barrier(32, timeout=20)

    def script(body: Body, number: int) -> Answer:
        if number < 32:
            together.wait()  # all requests are at the server before any is answered
        if number % 3 == 0:
            return FAILURES["server-error"]
        return Answer(f"reply to {body['messages'][0]['content']}")

    with connected(script, stream=stream, attempts=200) as (endpoint, server), ThreadPoolExecutor(32) as pool:
        questions = [f"question {number}" for number in range(64)]
        replies = list(pool.map(lambda text: endpoint.complete((Message("user", text),)), questions))
    assert [reply.text for reply in replies] == [f"reply to {text}" for text in questions]
    assert sum(reply.attempts for reply in replies) == len(server.requests)
    assert server.in_flight_peak == 32
