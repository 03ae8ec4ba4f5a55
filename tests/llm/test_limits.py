"""Hostile endpoints: one deadline over a whole request, bounded bodies whatever the status, no redirects."""

from __future__ import annotations

import contextlib
import gzip
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from qdkernel.errors import ConfigError
from qdkernel.llm import CallFailed, Endpoint, EndpointSpec, FailureKind
from qdkernel.llm.network import is_loopback
from tests.llm.endpoints import ASK, ENVIRON, Waits, connected, fail
from tests.llm_server import Answer, in_turn

Talk = Callable[[socket.socket, threading.Event], None]
"""Answers a request by hand until the event is set or the client is gone."""


@contextlib.contextmanager
def talking(talk: Talk) -> Iterator[str]:
    """The base URL of a server that reads a request and then talks as told, to every connection."""
    done = threading.Event()
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65536)
            talk(connection, done)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                thread = threading.Thread(target=serve, args=(listener.accept()[0],))
                thread.start()
                threads.append(thread)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        finally:
            done.set()
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            for thread in threads:
                thread.join()


def outcome(url: str, timeout_s: float = 0.5) -> CallFailed:
    spec = EndpointSpec("m", url, "x", timeout_s=timeout_s, attempts=1)
    with contextlib.closing(Endpoint(spec, {}, Waits())) as endpoint, pytest.raises(CallFailed) as caught:
        endpoint.complete(ASK)
    return caught.value


def drip(head: bytes, piece: bytes, pause_s: float = 0.01) -> Talk:
    def talk(connection: socket.socket, done: threading.Event) -> None:
        connection.sendall(head)
        while not done.wait(pause_s):
            connection.sendall(piece)

    return talk


ENDLESS = {
    "headers": drip(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
    "status-line": drip(b"", b"H"),
    "interim-responses": drip(b"", b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n"),
    "fast-interim-responses": drip(b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 200, 0.001),
    "error-body": drip(b"HTTP/1.1 500 No\r\nContent-Type: text/plain\r\n\r\n", b"x"),
    "success-body": drip(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n", b" "),
    "stream": drip(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", b": still thinking\n"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ENDLESS)
def test_an_answer_that_never_ends_but_never_pauses_ends_at_the_deadline(name: str) -> None:
    with talking(ENDLESS[name]) as url:
        start = time.monotonic()
        error = outcome(url)
        assert time.monotonic() - start < 20  # not "for ever"; the machine may be busy
    assert error.kind is FailureKind.TIMEOUT, str(error)
    assert str(error).endswith("no complete answer in time; raise timeout_s if the model is slow")


def flood(status: str, encoding: str = "", pack: Callable[[bytes], bytes] = bytes) -> Talk:
    def talk(connection: socket.socket, done: threading.Event) -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Encoding: {encoding}\r\n\r\n"
        connection.sendall(head.encode())
        piece = pack(b"word " * 2_000_000)
        while not done.is_set():
            connection.sendall(piece)

    return talk


@pytest.mark.parametrize(
    ("talk", "kind"),
    [
        (flood("500 No"), FailureKind.SERVER),
        (flood("403 No"), FailureKind.KEY),
        (flood("307 Elsewhere"), FailureKind.REJECTED),
        (flood("500 No", "gzip", gzip.compress), FailureKind.SERVER),
        (flood("200 OK"), FailureKind.TOO_LONG),
        (flood("200 OK", "gzip", gzip.compress), FailureKind.TOO_LONG),
        (flood("200 OK", "br"), FailureKind.GARBLED),
    ],
    ids=["error", "key", "redirect", "packed-error", "success", "packed-success", "unknown-packing"],
)
def test_a_flood_is_read_no_further_than_an_answer_could_be_long(talk: Talk, kind: FailureKind) -> None:
    with talking(talk) as url:
        before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        error = outcome(url, timeout_s=20.0)
        grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb
    assert error.kind is kind, str(error)
    assert grown_kb < 150_000  # the test's own server packs and keeps 10 MB pieces
    assert len(str(error)) <= 300


def test_a_packed_answer_is_understood_though_none_was_asked_for() -> None:
    body = b'{"choices": [{"message": {"content": "void"}, "finish_reason": "stop"}]}'
    answer = Answer(raw=gzip.compress(body), headers={"Content-Encoding": "gzip"})
    with connected(in_turn(answer)) as (endpoint, server):
        assert endpoint.complete(ASK).text == "void"
    assert server.requests[0].headers["accept-encoding"] == "identity"


def test_a_redirect_is_not_followed() -> None:
    with connected(in_turn("void")) as (_, elsewhere):
        moved = Answer(status=308, raw=b"", headers={"Location": f"{elsewhere.base_url}/chat/completions"})
        error, server = fail(in_turn(moved))
        assert (error.kind, len(server.requests), elsewhere.requests) == (FailureKind.REJECTED, 1, [])


def test_closing_ends_a_request_to_a_silent_server_at_once() -> None:
    asked = threading.Event()

    def talk(connection: socket.socket, done: threading.Event) -> None:
        asked.set()
        done.wait()

    failures: list[CallFailed] = []
    with talking(talk) as url:
        endpoint = Endpoint(EndpointSpec("m", url, "x", timeout_s=600.0), {}, Waits())

        def ask() -> None:
            try:
                endpoint.complete(ASK)
            except CallFailed as error:
                failures.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        asked.wait()
        endpoint.close()
        thread.join(timeout=30)
        assert not thread.is_alive()
    assert [(error.kind, error.attempts) for error in failures] == [(FailureKind.CANCELLED, 1)]
    assert failures[0].usage.completion_tokens == 8192  # it may have been generating


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("a.localhost", True),
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("0.0.0.0", True),
        ("localhost.example.org", False),
        ("127.0.0.1.example.org", False),
        ("192.168.0.2", False),
        ("example.org", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine_and_nothing_else(host: str, here: bool) -> None:
    assert is_loopback(host) is here


def test_a_key_goes_over_plain_http_to_another_machine_only_when_allowed() -> None:
    spec = EndpointSpec("m", "http://gpu.example:8000/v1", "x", "MODEL_KEY")
    with pytest.raises(ConfigError) as caught:
        Endpoint(spec, ENVIRON)
    assert str(caught.value) == (
        "models: m: base_url: expected https, as the key would cross the network to gpu.example unencrypted; use "
        "https, or set key_over_http: true where you trust every machine on the way"
    )
    Endpoint(EndpointSpec("m", spec.base_url, "x", "MODEL_KEY", key_over_http=True), ENVIRON).close()
    Endpoint(EndpointSpec("m", spec.base_url, "x"), {}).close()
