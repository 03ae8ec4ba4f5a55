"""The HTTP server: reads requests, has a script answer them, and misbehaves on the wire as told."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import socketserver
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.llm_server._answer import Answer, Body, Later, Script, stream_chunks, whole_body

POLL_S = 0.05
_STOP_S = 0.01  # how soon the server notices that it shall stop; tests start and stop hundreds
_CLOSING_S = 5.0


@dataclass(frozen=True)
class Received:
    """One request for a completion.

    Attributes:
        number: counted from 0.
        headers: by lower-case name.
        body: its JSON.
        time_s: of the monotonic clock.
    """

    number: int
    headers: Mapping[str, str]
    body: Body
    time_s: float


class ModelServer:
    """Serves ``/v1/chat/completions`` and ``/v1/models`` on 127.0.0.1 while its ``with`` block lasts.

    An exception of the script is answered with status 500 and raised again at the end of the block.

    Args:
        script: answers the requests.
        port: 0 for any free one.

    Attributes:
        requests: requests for completions, as received.
        in_flight_peak: most of them that were under way at once.
        paths: of all requests that are none for completions.
    """

    def __init__(self, script: Script, port: int = 0) -> None:
        self.requests: list[Received] = []
        self.in_flight_peak = 0
        self.paths: list[str] = []
        self.script = script
        self.stopping = threading.Event()
        self._errors: list[Exception] = []
        self._in_flight = 0
        self._lock = threading.Lock()
        self._http = _Http(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(_STOP_S,), daemon=True)

    @property
    def base_url(self) -> str:
        """What a client needs to know."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._thread.join()
        self._http.hang_up()
        self._http.server_close()
        if self._errors and error is None:
            raise self._errors[0]

    @contextlib.contextmanager
    def under_way(self, headers: Mapping[str, str], body: Body) -> Iterator[int]:
        """Notes a request; gives its number."""
        with self._lock:
            number = len(self.requests)
            self.requests.append(Received(number, headers, body, time.monotonic()))
            self._in_flight += 1
            self.in_flight_peak = max(self.in_flight_peak, self._in_flight)
        try:
            yield number
        finally:
            with self._lock:
                self._in_flight -= 1

    def answer(self, body: Body, number: int) -> Answer | Later:
        """What the script says."""
        try:
            answer = self.script(body, number)
        except Exception as error:  # whatever a test's script raises belongs to the test, not to this thread
            self._errors.append(error)
            return Answer(f"the script failed: {error!r}", status=500)
        return Answer(answer) if isinstance(answer, str) else answer


class _Http(ThreadingHTTPServer):
    request_queue_size = 512  # hundreds of clients connect at once in tests of load; 5 would reset them
    daemon_threads = True

    def __init__(self, address: tuple[str, int], model_server: ModelServer) -> None:
        self.model_server = model_server
        self._connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Without the look-up of the host's name, which may take seconds and nobody needs."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:  # Any: as in the base class
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self._connections.discard(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of every test of time limits."""

    def hang_up(self) -> None:
        """Ends all connections, idle ones too, and waits until their threads have closed them."""
        deadline = time.monotonic() + _CLOSING_S
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        while self._connections and time.monotonic() < deadline:
            time.sleep(0.005)


class _HungUp(Exception):
    """The client is gone, or the server stops."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536  # header and body in one segment: two would meet delayed acknowledgement, 40 ms a request
    disable_nagle_algorithm = True
    server: _Http

    def log_message(self, format: str, *args: Any) -> None:
        """Stderr belongs to the tests."""

    def do_GET(self) -> None:
        self.server.model_server.paths.append(self.path)
        if self.path.rstrip("/") != "/v1/models":
            return self._send(404, {}, b'{"error": {"message": "no such path"}}')
        models = [{"id": "scripted", "object": "model", "created": 1, "owned_by": "tests"}]
        return self._send(200, {}, json.dumps({"object": "list", "data": models}).encode())

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        if self.path.rstrip("/") != "/v1/chat/completions":
            return self._send(404, {}, b'{"error": {"message": "no such path"}}')
        if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
            return self._send(400, {}, b'{"error": {"message": "expected an object with messages"}}')
        headers = {name.lower(): value for name, value in self.headers.items()}
        server = self.server.model_server
        try:
            with server.under_way(headers, body) as number:
                self._reply(self._awaited(server.answer(body, number)), body)
        except _HungUp:
            self._cut()
        return None

    def _awaited(self, answer: Answer | Later) -> Answer:
        if isinstance(answer, Answer):
            return answer
        while (found := answer.poll()) is None:
            try:
                self._linger(POLL_S)
            except _HungUp:
                answer.abandoned()
                raise
        return found

    def _reply(self, answer: Answer, request: Body) -> None:
        self._linger(answer.delay_s)
        if answer.cut_after == 0 or (answer.hang_s and answer.cut_after is None):
            self._linger(answer.hang_s)
            self._cut()
        elif (
            request.get("stream") and answer.status == 200 and (answer.raw is None or "Content-Type" in answer.headers)
        ):
            self._stream(answer, request)
        else:
            body = whole_body(answer, request)
            self._send(answer.status, answer.headers, body, answer.cut_after)
            if answer.cut_after is not None:
                self._linger(answer.hang_s)
                self._cut()

    def _send(self, status: int, headers: Mapping[str, str], body: bytes, limit: int | None = None) -> None:
        self._head(status, {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers})
        self.wfile.write(body[:limit])
        self.wfile.flush()

    def _stream(self, answer: Answer, request: Body) -> None:
        own = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}
        self._head(answer.status, {**own, **answer.headers})
        for number, chunk in enumerate(stream_chunks(answer, request)):
            if number == answer.cut_after:
                self._linger(answer.hang_s)
                return self._cut()
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()
        return None

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _cut(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _linger(self, seconds: float) -> None:
        """Waits; ends with ``_HungUp`` as soon as nobody waits for the answer any more."""
        deadline = time.monotonic() + seconds
        while (rest := deadline - time.monotonic()) > 0:
            if self.server.model_server.stopping.wait(min(rest, POLL_S)) or self._client_is_gone():
                raise _HungUp

    def _client_is_gone(self) -> bool:
        readable, _, _ = select.select([self.connection], [], [], 0)
        try:
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True
