"""Hostile model servers: what one sends is made from a seed and a number, and a client asks it.

An answer is a good one, whole or streamed, with up to three changes: of its JSON, its bytes, its status, its headers,
how it is packed and cut into chunks; or it is followed by silence, by a flood, or by a reset of the connection.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import random
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from qdkernel.llm import CallFailed, Endpoint, EndpointSpec
from tests.fuzz.json_mutations import HOSTILE_TEXTS, changed_json
from tests.llm.endpoints import ASK, ENVIRON, KEY, Waits
from tests.llm_server import Answer
from tests.llm_server._answer import stream_chunks, whole_body

TIMEOUT_S = 1.0
_REPLY = "IDEA: blocks\n```c\nvoid dgemm(int n) {}\n```\n"
_FLOOD = 64 << 20  # bytes, at most; the client has to hang up long before
_STATUSES = (
    200,
    200,
    100,
    102,
    103,
    204,
    206,
    301,
    307,
    308,
    400,
    401,
    402,
    403,
    404,
    413,
    422,
    429,
    500,
    503,
    529,
    999,
)
_HEADERS = (
    *(
        "Content-Length: 5",
        "Content-Length: -1",
        "Content-Length: 99999999999",
        "Content-Length: x",
        "Content-Encoding: br",
    ),
    *("Content-Encoding: gzip", "Content-Encoding: gzip, gzip", "Transfer-Encoding: chunked", "Transfer-Encoding: x"),
    *(
        "Retry-After: 0",
        "Retry-After: -5",
        "Retry-After: 1e9",
        "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT",
        "Retry-After: \xe9",
    ),
    *(
        "retry-after-ms: nan",
        "x-should-retry: maybe",
        "Location: http://169.254.0.1/",
        "Content-Type: text/html",
        "Content-Type:",
    ),
    *(
        "Set-Cookie: " + "x" * 5000,
        "X: \x1b]0;owned\x07",
        "no colon at all",
        " folded",
        "A: " + "b" * 70_000,
        "Connection: keep-alive",
    ),
)


@dataclass(frozen=True)
class Sent:
    """What a server sends, and how it ends: ``close``, ``reset``, ``silence`` or a ``flood`` of the last piece."""

    pieces: tuple[bytes, ...]
    end: str = "close"


@dataclass
class _Draft:
    status: int = 200
    headers: list[str] = field(default_factory=list)
    body: bytes = b""
    content_type: str = "application/json"


def make_answer(seed: int, number: int) -> Sent:
    """The answer of a case."""
    rng = random.Random(f"{seed}/{number}")
    draft = _Draft()
    if rng.random() < 0.5:
        draft.body = whole_body(_answer(rng), {"model": "m", "messages": []})
    else:
        draft.content_type = "text/event-stream"
        draft.body = b"".join(stream_chunks(_answer(rng), {"model": "m", "messages": [], "stream": True}))
    changes = (_change_json, _change_json, _change_bytes, _change_status, _add_header, _pack)
    for change in rng.choices(changes, k=rng.randint(0, 3)):
        change(rng, draft)
    framed = _framed(rng, draft)
    if rng.random() < 0.05:
        framed = rng.randbytes(rng.choice((0, 1, 100, 5000)))
    cuts = sorted(rng.randrange(len(framed) + 1) for _ in range(rng.randint(0, 4)))
    pieces = tuple(framed[start:end] for start, end in zip([0, *cuts], [*cuts, len(framed)], strict=True))
    end = rng.choices(("close", "reset", "flood", "silence"), (80, 10, 6, 4))[0]
    return Sent(pieces[: rng.randint(1, len(pieces))] if rng.random() < 0.2 else pieces, end)


def _answer(rng: random.Random) -> Answer:
    text = rng.choice((_REPLY, _REPLY, *HOSTILE_TEXTS))
    return Answer(
        text=text, refusal=rng.choice((None, None, None, "no")), finish=rng.choice(("stop", "length", None, "x"))
    )


def _change_json(rng: random.Random, draft: _Draft) -> None:
    """Changes the body's JSON, or that of one event."""
    lines = draft.body.split(b"\n")
    places = [at for at, line in enumerate(lines) if line.removeprefix(b"data: ")[:1] in (b"{", b"[")]
    if places:
        at = rng.choice(places)
        prefix = b"data: " if lines[at].startswith(b"data: ") else b""
        with contextlib.suppress(ValueError, RecursionError):
            lines[at] = prefix + changed_json(rng, lines[at].removeprefix(prefix).decode("utf-8", "replace")).encode()
    draft.body = b"\n".join(lines)


def _change_bytes(rng: random.Random, draft: _Draft) -> None:
    data = bytearray(draft.body or b"x")
    for _ in range(rng.choice((1, 10))):
        data[rng.randrange(len(data))] = rng.randrange(256)
    draft.body = bytes(data * (rng.choice((1, 1, 1, 50)) if len(data) < 200_000 else 1))


def _change_status(rng: random.Random, draft: _Draft) -> None:
    draft.status = rng.choice(_STATUSES)
    if draft.status >= 300:
        said = rng.choice(
            (*HOSTILE_TEXTS, f"the key {KEY} is wrong", "max_tokens must be at most 10", "use max_completion_tokens")
        )
        draft.body = rng.choice((json.dumps({"error": {"message": said, "code": said[:50]}}), said, "<html>")).encode(
            "utf-8", "replace"
        )


def _add_header(rng: random.Random, draft: _Draft) -> None:
    draft.headers += rng.choices(_HEADERS, k=rng.choice((1, 1, 2, 200)))


def _pack(rng: random.Random, draft: _Draft) -> None:
    packed = partial(gzip.compress, mtime=0)  # the same bytes at any time
    packers: dict[str, Callable[[bytes], bytes]] = {
        "gzip": packed,
        "deflate": zlib.compress,
        "x-gzip": packed,
    }
    name = rng.choice(list(packers))
    draft.headers.append(f"Content-Encoding: {name}")
    draft.body = packers[name](draft.body if rng.random() < 0.8 else bytes(50 << 20))
    if rng.random() < 0.2:
        draft.body = draft.body[: len(draft.body) // 2]


def _framed(rng: random.Random, draft: _Draft) -> bytes:
    how, body = rng.randrange(4), draft.body
    headers = [f"Content-Type: {draft.content_type}", *draft.headers]
    if how == 0:
        headers.append(f"Content-Length: {len(body) + rng.choice((0, 0, 0, -3, 7))}")
    elif how == 1:
        headers.append("Transfer-Encoding: chunked")
        size = rng.choice((1 + len(body), 1000, 7 if len(body) < 5000 else 5000))
        chunks = [body[at : at + size] for at in range(0, len(body), size)]
        written = [b"%x%s\r\n%s\r\n" % (len(c), rng.choice((b"", b"", b"", b";a=b")), c) for c in chunks]
        if written and rng.random() < 0.2:
            written[rng.randrange(len(written))] = rng.choice(
                (b"-1\r\n\r\n", b"ffffffffffffffff\r\n", b"zz\r\n", b"0\r\n")
            )
        body = b"".join(written) + rng.choice((b"0\r\n\r\n", b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b""))
    head = f"HTTP/1.1 {draft.status} Any\r\n" + "".join(f"{line}\r\n" for line in headers) + "\r\n"
    return head.encode("latin-1", "replace") + body


class HostileServer:
    """Answers every request with ``answer``; a context manager.

    Attributes:
        answer: what is sent next.
        base_url: its address.
    """

    def __init__(self) -> None:
        self.answer = Sent((b"",))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._acceptor = threading.Thread(target=self._accept)
        self.base_url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def __enter__(self) -> HostileServer:
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = self._listener.accept()[0]
                threading.Thread(target=self._serve, args=(connection, self.answer), daemon=True).start()

    @staticmethod
    def _serve(connection: socket.socket, answer: Sent) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(5 * TIMEOUT_S)
            connection.recv(65536)
            for piece in answer.pieces:
                connection.sendall(piece)
            if answer.end == "silence":
                connection.recv(1)  # until the client hangs up
            elif answer.end == "flood":
                piece = (answer.pieces[-1] or b"a: b\r\n")[-65536:]
                for _ in range(_FLOOD // len(piece)):
                    connection.sendall(piece)
            elif answer.end == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@contextlib.contextmanager
def asked(server: HostileServer) -> Iterator[Endpoint]:
    """A client of the server that has learned nothing yet."""
    spec = EndpointSpec("m", server.base_url, "x", "MODEL_KEY", timeout_s=TIMEOUT_S, attempts=1)
    with contextlib.closing(Endpoint(spec, ENVIRON, Waits())) as endpoint:
        yield endpoint


def judge_answer(server: HostileServer, answer: Sent) -> str:
    """What came of an answer: ``completion``, or the kind of failure.

    Anything but a completion or one printable line without the key is a finding.
    """
    server.answer = answer
    with asked(server) as endpoint:
        began = time.monotonic()
        try:
            completion = endpoint.complete(ASK)
            completion.text.encode()
            assert completion.text.strip(), "an empty completion"
            outcome = "completion"
        except CallFailed as failure:
            line, outcome = str(failure), failure.kind.value
            assert line.isprintable(), line
            assert 0 < len(line) <= 300, line
            assert KEY not in line, line
        listed = endpoint.listed()
        assert listed.isprintable(), listed
        assert KEY not in listed, listed
        took_s = time.monotonic() - began
        assert took_s < 40 * TIMEOUT_S, f"{took_s:.1f} s"  # two requests, and those that adapt to refusals
    return outcome
