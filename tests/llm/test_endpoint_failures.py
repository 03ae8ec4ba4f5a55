"""Every way for a request to fail, whole and streamed, how often it is asked again, and what is said."""

from __future__ import annotations

import contextlib
import email.utils
import socket
import threading
import time

import pytest

from qdkernel.llm import CallFailed, Endpoint, EndpointSpec, FailureKind
from qdkernel.llm.failures import retry_after_s, server_message
from tests.llm.endpoints import ASK, BOTH, Waits, connected, fail
from tests.llm_server import FAILURES, INJECTION, ONE_MEGABYTE, Answer, ModelServer, in_turn

# -- failures that may pass -------------------------------------------------------------------------------------------

RETRIED = {
    "rate-limit-ms": (FailureKind.RATE_LIMIT, "HTTP 429: slow down"),
    "server-error": (FailureKind.SERVER, "HTTP 500: boom"),
    "unavailable": (FailureKind.SERVER, "HTTP 503: a web page"),
    "request-timeout": (FailureKind.SERVER, "HTTP 408: too slow"),
    "conflict": (FailureKind.SERVER, "HTTP 409: conflict"),
    "error-with-200": (FailureKind.RATE_LIMIT, "HTTP 429: upstream is busy"),
    "reset": (FailureKind.CONNECTION, "the connection failed"),
    "broken-json": (FailureKind.GARBLED, 'HTTP 200 with broken JSON: {"id": "c1", "choices": ['),
    "not-utf8": (FailureKind.GARBLED, "HTTP 200 with broken JSON"),
    "deep-json": (FailureKind.GARBLED, "HTTP 200 with broken JSON: [[["),
    "web-page": (FailureKind.GARBLED, "HTTP 200 with a web page"),
    "no-choices": (FailureKind.GARBLED, "not a chat completion: no choices"),
    "null-choices": (FailureKind.GARBLED, 'no choices: {"choices": null'),
    "no-body": (FailureKind.GARBLED, "HTTP 200 without a body; check base_url, usually up to /v1"),
    "no-content": (FailureKind.GARBLED, "HTTP 204 without a body; check base_url, usually up to /v1"),
    "choice-error": (FailureKind.SERVER, "HTTP 502: upstream failed"),
    "empty-choices": (FailureKind.GARBLED, "not a chat completion: no choices"),
    "odd-choices": (FailureKind.GARBLED, "not a chat completion: no choices"),
    "no-message": (FailureKind.GARBLED, "not a chat completion: a choice without a message"),
    "list": (FailureKind.GARBLED, "not a chat completion: not an object"),
    "empty": (FailureKind.EMPTY, "the reply is empty"),
    "blank": (FailureKind.EMPTY, "the reply is empty"),
    "null-content": (FailureKind.EMPTY, "the reply is empty"),
}
RETRIED_WHOLE = {"cut-body": (FailureKind.CONNECTION, "the connection failed")}
RETRIED_STREAMED = {
    "cut-stream": (FailureKind.CONNECTION, "the connection failed"),
    "bad-chunk": (FailureKind.GARBLED, "HTTP 200 with broken JSON: {not json"),
    "odd-chunk": (FailureKind.GARBLED, "a chunk that is not an object"),
    "error-chunk": (FailureKind.SERVER, "an error in place of a reply: out of memory"),
    "stream-without-finish": (FailureKind.CUT, "the stream ended after 800 characters without a finish reason"),
    "error-field": (FailureKind.SERVER, "HTTP 500: context size has been exceeded; raise its context: num_ctx"),
    "error-event": (FailureKind.SERVER, "HTTP 503: overloaded"),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "stream"),
    [(name, False) for name in RETRIED | RETRIED_WHOLE] + [(name, True) for name in RETRIED | RETRIED_STREAMED],
)
def test_what_may_pass_is_tried_again_until_the_attempts_are_spent(name: str, stream: bool) -> None:
    kind, words = (RETRIED | RETRIED_WHOLE | RETRIED_STREAMED)[name]
    waits = Waits()
    error, server = fail(in_turn(FAILURES[name]), waits, stream=stream, attempts=3)
    assert (error.kind, len(server.requests), len(waits.seconds)) == (kind, 3, 2)
    assert "(3 requests)" in str(error)
    assert words in str(error)


@BOTH
def test_after_failures_of_all_kinds_the_reply_still_arrives(stream: bool) -> None:
    names = ("server-error", "reset", "broken-json", "web-page", "no-choices", "empty", "bad-chunk", "cut-stream")
    script = in_turn(*(FAILURES[name] for name in names), "at last" * 10)
    with connected(script, stream=stream, attempts=len(names) + 1) as (endpoint, server):
        completion = endpoint.complete(ASK)
    assert completion.text == "at last" * 10
    assert completion.attempts == len(server.requests) == len(names) + 1


def test_pauses_double_up_to_eight_seconds_less_some_jitter() -> None:
    waits = Waits()
    fail(in_turn(FAILURES["server-error"]), waits, attempts=8)
    full = [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert all(0.75 * most <= pause <= most for pause, most in zip(waits.seconds, full, strict=True))


@BOTH
def test_a_server_that_says_how_long_is_waited_for_that_long(stream: bool) -> None:
    date = email.utils.formatdate(time.time() + 30, usegmt=True)
    answers = [
        FAILURES["rate-limit"],
        FAILURES["rate-limit-ms"],
        Answer(status=503, headers={"Retry-After": "2.5"}),
        Answer(status=429, headers={"Retry-After": date}),
    ]
    waits = Waits()
    with connected(in_turn(*answers, "x"), waits, stream=stream, attempts=5) as (endpoint, _):
        assert endpoint.complete(ASK).attempts == 5
    assert waits.seconds[:3] == [1.0, 0.2, 2.5]
    assert 25 < waits.seconds[3] <= 30


@pytest.mark.parametrize("asked", ["", "soon", "-3", "nan", "inf", "Sat, 99 Nov 2026 99:99:99 GMT", "0"])
def test_an_illegible_retry_after_means_the_usual_pause(asked: str) -> None:
    waits = Waits()
    fail(in_turn(Answer(status=429, headers={"Retry-After": asked})), waits, attempts=2)
    assert 0.375 <= waits.seconds[0] <= 0.5


def test_a_date_in_the_past_means_no_wait() -> None:
    assert retry_after_s({"retry-after": "Fri, 20 Nov 2020 10:00:00 GMT"}) == 0.0


@pytest.mark.parametrize(("status", "kind"), [(429, FailureKind.RATE_LIMIT), (503, FailureKind.SERVER)])
def test_who_asks_for_more_than_two_minutes_is_not_waited_for(status: int, kind: FailureKind) -> None:
    error, server = fail(in_turn(Answer("slow down", status, {"Retry-After": "300"})))
    assert (error.kind, len(server.requests)) == (kind, 1)
    assert str(error).endswith(f"HTTP {status}: slow down; it asks to wait 300 s, and more than 120 s is not waited")


@BOTH
def test_a_silent_server_times_out(stream: bool) -> None:
    with ModelServer(in_turn(FAILURES["hang"])) as server:
        spec = EndpointSpec("m", server.base_url, "scripted", timeout_s=0.1, attempts=2, stream=stream)
        with contextlib.closing(Endpoint(spec, {}, Waits())) as endpoint, pytest.raises(CallFailed) as caught:
            endpoint.complete(ASK)
    assert (caught.value.kind, caught.value.attempts) == (FailureKind.TIMEOUT, 2)
    assert str(caught.value).endswith("no complete answer in time; raise timeout_s if the model is slow")


@BOTH
def test_an_answer_that_stalls_half_way_times_out(stream: bool) -> None:
    with ModelServer(in_turn(FAILURES["stalled"])) as server:
        spec = EndpointSpec("m", server.base_url, "scripted", timeout_s=0.1, attempts=1, stream=stream)
        with contextlib.closing(Endpoint(spec, {}, Waits())) as endpoint, pytest.raises(CallFailed) as caught:
            endpoint.complete(ASK)
    assert caught.value.kind is FailureKind.TIMEOUT


def test_a_server_that_drips_times_out_though_it_is_never_silent() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def drip() -> None:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
            while not done.wait(0.01):
                connection.sendall(b": still thinking\n")

    thread = threading.Thread(target=drip)
    thread.start()
    spec = EndpointSpec("m", f"http://127.0.0.1:{listener.getsockname()[1]}/v1", "x", timeout_s=0.2, attempts=1)
    with contextlib.closing(Endpoint(spec, {}, Waits())) as endpoint, pytest.raises(CallFailed) as caught:
        endpoint.complete(ASK)
    done.set()
    thread.join()
    listener.close()
    assert caught.value.kind is FailureKind.TIMEOUT


def test_a_dead_port_says_what_to_check() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    waits = Waits()
    spec = EndpointSpec("m", f"http://127.0.0.1:{port}/v1", "x", attempts=3)
    with contextlib.closing(Endpoint(spec, {}, waits)) as endpoint, pytest.raises(CallFailed) as caught:
        endpoint.complete(ASK)
    assert (caught.value.kind, caught.value.attempts, len(waits.seconds)) == (FailureKind.CONNECTION, 3, 2)
    assert str(caught.value).startswith(f"127.0.0.1:{port} (3 requests): the connection failed: ")
    assert str(caught.value).endswith("; is the server running, and is base_url right?")


# -- failures that stay -----------------------------------------------------------------------------------------------

FINAL = {
    "quota": (FailureKind.RATE_LIMIT, "HTTP 429: you exceeded your current quota; the quota is used up"),
    "bad-request": (FailureKind.REJECTED, "HTTP 400: the context is 4096 tokens"),
    "no-key": (FailureKind.KEY, "HTTP 401: who are you?; check the key in MODEL_KEY"),
    "forbidden": (FailureKind.KEY, "HTTP 403: not for you; check the key in MODEL_KEY"),
    "not-found": (
        FailureKind.REJECTED,
        "HTTP 404: no model of that name; check base_url, usually up to /v1, and model",
    ),
    "unprocessable": (FailureKind.REJECTED, "Field required"),
    "server-error-final": (FailureKind.SERVER, "HTTP 500: boom"),
    "only-thinking": (FailureKind.EMPTY, "thinking took all of its tokens; raise max_tokens or have it think less"),
    "full-context": (
        FailureKind.EMPTY,
        "the server's context of about 4,096 tokens is full; raise its context: num_ctx",
    ),
    "cut-thinking": (FailureKind.EMPTY, "thinking took all of its tokens; raise max_tokens or have it think less"),
    "wrong-path": (
        FailureKind.REJECTED,
        "an error in place of a reply: Unexpected endpoint or method. (POST /chat/completions). Returning 200 anyway; "
        "check base_url, usually up to /v1",
    ),
    "redirect": (FailureKind.REJECTED, "HTTP 307; a redirect, which is not followed; check base_url"),
    "prompt-too-long": (
        FailureKind.REJECTED,
        "available context size (4096 tokens), try increasing it; raise its context",
    ),
    "refused": (FailureKind.CONTENT_FILTERED, "the model or its filter declined: I cannot help with kernels."),
    "filtered": (FailureKind.CONTENT_FILTERED, "the model or its filter declined: content_filter"),
    "filtered-prompt": (FailureKind.CONTENT_FILTERED, "HTTP 400: the prompt was filtered"),
}


@BOTH
@pytest.mark.parametrize("name", FINAL)
def test_what_stays_is_not_tried_again(name: str, stream: bool) -> None:
    waits = Waits()
    error, server = fail(in_turn(FAILURES[name]), waits, stream=stream)
    kind, words = FINAL[name]
    assert (error.kind, len(server.requests), waits.seconds) == (kind, 1, [])
    assert words in str(error)


def test_every_failure_of_the_server_is_tested() -> None:
    elsewhere = {"rate-limit", "rate-limit-long", "hang", "stalled"}
    assert set(FAILURES) == {*RETRIED, *RETRIED_WHOLE, *RETRIED_STREAMED, *FINAL, *elsewhere}


@BOTH
@pytest.mark.parametrize(
    "answer",
    [Answer(ONE_MEGABYTE), Answer("x" * (256 * 1024 + 1)), Answer(raw=b" " * (5 << 20) + b"{}")],
    ids=["1 MB", "a character too many", "padding"],
)
def test_a_reply_that_no_kernel_could_be_is_not_read_to_its_end(answer: Answer, stream: bool) -> None:
    error, server = fail(in_turn(answer), stream=stream)
    assert (error.kind, len(server.requests)) == (FailureKind.TOO_LONG, 1)
    assert str(error).endswith("the reply is longer than 256 KiB; no kernel is; lower max_tokens")


def test_an_endless_line_of_a_stream_is_not_collected() -> None:
    answer = Answer(raw=b"data: " + b"x" * (5 << 20), headers={"Content-Type": "text/event-stream"})
    error, _ = fail(in_turn(answer), stream=True)
    assert error.kind is FailureKind.TOO_LONG


# -- small parts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"message": "a", "code": 1}, "a"),
        ({"error": "b"}, "b"),
        ({"error": {"message": "c"}}, "c"),
        ({"detail": "d"}, "d"),
        ({"detail": [{"msg": "e"}]}, '[{"msg": "e"}]'),
        ({"x": 1}, '{"x": 1}'),
        ({}, ""),
        (None, ""),
        ("plain", "plain"),
        (" <!DOCTYPE html><p>", "a web page"),
    ],
)
def test_error_bodies_of_all_servers_are_understood(body: object, words: str) -> None:
    assert server_message(body) == words


def test_an_injection_in_an_error_is_only_words() -> None:
    error, _ = fail(in_turn(Answer(INJECTION, 400)))
    assert error.kind is FailureKind.REJECTED
