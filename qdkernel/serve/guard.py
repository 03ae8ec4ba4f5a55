"""What every request passes before a route sees it: request id, token, size and time of its body."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import json
import re
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from qdkernel.serve.settings import Settings

Scope = MutableMapping[str, Any]  # Any: ASGI
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN_PATHS = frozenset({"/healthz", "/readyz"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class _Refused(Exception):
    def __init__(self, status: int, detail: str) -> None:
        self.status = status
        self.detail = detail


class Guard:
    """ASGI middleware; a body is read whole before the application runs, so no route waits for a slow client.

    The token is taken from ``Authorization: Bearer TOKEN``, or as the password of basic authentication, which HTTP
    clients that only take an address make of ``http://any:TOKEN@host:port/``.
    """

    def __init__(self, app: App, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self.answers: Counter[tuple[str, int]] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or answers it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        request_id = _request_id(headers.get(b"x-request-id", b""))
        scope.setdefault("state", {})["request_id"] = request_id

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id.encode())]
                self.answers[_route(scope), message["status"]] += 1
            await send(message)

        try:
            self._check_token(scope["path"], headers.get(b"authorization", b""))
            body = await self._body(scope["method"], headers, receive)
        except _Refused as refused:
            await _refuse(answer, refused, scope["method"])
            return
        if body is None:
            return  # the client has gone
        await self._app(scope, _replay(body, receive), answer)

    def _check_token(self, path: str, given: bytes) -> None:
        if not self._settings.token or path in OPEN_PATHS:
            return
        if not hmac.compare_digest(_token(given), self._settings.token.encode()):
            raise _Refused(401, "expected the service's token as 'Authorization: Bearer TOKEN'")

    async def _body(self, method: str, headers: dict[bytes, bytes], receive: Receive) -> bytes | None:
        limit = self._settings.max_body_bytes
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > limit:
            raise _Refused(413, f"expected at most {limit} bytes, got {int(length)}; send smaller batches")
        if method in ("GET", "HEAD"):
            return b""
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._settings.body_s):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > limit:
                        raise _Refused(413, f"expected at most {limit} bytes, got more; send smaller batches")
                    if not message.get("more_body"):
                        return b"".join(parts)
        except TimeoutError:
            raise _Refused(408, f"the request did not arrive within {self._settings.body_s:g} s") from None


def _request_id(given: bytes) -> str:
    text = given.decode("latin-1")
    return text if _REQUEST_ID.fullmatch(text) else uuid.uuid4().hex


def _token(header: bytes) -> bytes:
    kind, _, value = header.strip().partition(b" ")
    if kind.lower() == b"bearer":
        return value.strip()
    if kind.lower() == b"basic":
        try:
            return base64.b64decode(value.strip(), validate=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return b""


def _route(scope: Scope) -> str:
    """The path with ids left out; unknown paths count as one, so that no client makes the metrics grow."""
    route = scope.get("route")
    return getattr(route, "path", "other")


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


async def _refuse(send: Send, refused: _Refused, method: str) -> None:
    body = json.dumps({"detail": refused.detail}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if refused.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if method != "GET":
        headers.append((b"connection", b"close"))  # the rest of the body is not read
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
