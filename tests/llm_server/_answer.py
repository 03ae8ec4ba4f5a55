"""What a script is given and what it hands back."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Body = Mapping[str, Any]  # Any: JSON
"""A request's JSON."""

_PIECES = 40  # chunks of a streamed text
_CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True)
class Answer:
    """One answer of the server; by default a complete and correct one.

    Attributes:
        text: the reply, or the error's message when the status is not 200.
        status: of the HTTP response.
        headers: added to the response's own, or in their place.
        error: more keys of the error object, e.g. ``{"code": "insufficient_quota"}``.
        delay_s: before anything is sent.
        finish: the finish reason; ``None`` leaves it out.
        refusal: the message's refusal; the content is null then.
        usage: whether tokens are counted.
        counts: the reply's ``usage``, in place of the one made from the text.
        raw: body in place of the one made from the above, streamed or not.
        cut_after: bytes of the body, or chunks of a stream, after which the connection is cut; 0 cuts it before the
            status line.
        hang_s: seconds of silence after ``cut_after``, or before anything is sent; then the connection is cut.
        stream_without_end: a stream stops after the text, without finish reason and ``[DONE]``, but cleanly.
    """

    text: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    error: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON
    delay_s: float = 0.0
    finish: str | None = "stop"
    refusal: str | None = None
    usage: bool = True
    counts: Mapping[str, Any] | None = None  # Any: JSON
    raw: bytes | None = None
    cut_after: int | None = None
    hang_s: float = 0.0
    stream_without_end: bool = False


@dataclass(frozen=True)
class Later:
    """An answer that somebody else is still writing.

    Attributes:
        poll: asked every ``POLL_S`` seconds until it has one.
        abandoned: told when the client hung up before.
    """

    poll: Callable[[], Answer | None]
    abandoned: Callable[[], None]


Script = Callable[[Body, int], Answer | Later | str]
"""From a request and its number, counted from 0 over all requests, to the answer; called by several threads."""


def whole_body(answer: Answer, request: Body) -> bytes:
    """The body of a response that is not streamed."""
    if answer.raw is not None:
        return answer.raw
    if answer.status != 200:
        message = answer.text or "something went wrong"
        return json.dumps({"error": {"message": message, "type": "error", **answer.error}}).encode()
    content = None if answer.refusal else answer.text
    message_json = {"role": "assistant", "content": content, "refusal": answer.refusal}
    choice = {"index": 0, "message": message_json, "finish_reason": answer.finish, "logprobs": None}
    body = _head("chat.completion", request) | {"choices": [choice]}
    if answer.usage:
        body["usage"] = token_counts(answer, request)
    return json.dumps(body).encode()


def stream_chunks(answer: Answer, request: Body) -> Iterator[bytes]:
    """The server-sent events of a streamed reply, each with the blank line that ends it."""
    if answer.raw is not None:
        yield answer.raw
        return
    size = max(8, math.ceil(len(answer.text) / _PIECES))
    yield _event(_delta(request, {"role": "assistant", "content": "", "refusal": answer.refusal}))
    if not answer.refusal:
        for start in range(0, len(answer.text), size):
            yield _event(_delta(request, {"content": answer.text[start : start + size]}))
    if answer.stream_without_end:
        return
    yield _event(_delta(request, {}, answer.finish))
    if answer.usage and (request.get("stream_options") or {}).get("include_usage"):
        yield _event(_head("chat.completion.chunk", request) | {"choices": [], "usage": token_counts(answer, request)})
    yield b"data: [DONE]\n\n"


def token_counts(answer: Answer, request: Body) -> dict[str, Any]:
    """Made-up token counts: a quarter of the characters, unless the answer has its own."""
    if answer.counts is not None:
        return dict(answer.counts)
    prompt = sum(len(str(message.get("content"))) for message in request.get("messages", ())) // _CHARACTERS_PER_TOKEN
    completion = len(answer.text) // _CHARACTERS_PER_TOKEN
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _head(kind: str, request: Body) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": request.get("model", "")}


def _delta(request: Body, delta: Mapping[str, str | None], finish: str | None = None) -> dict[str, Any]:
    choices = [{"index": 0, "delta": dict(delta), "finish_reason": finish}]
    return _head("chat.completion.chunk", request) | {"choices": choices}


def _event(data: Mapping[str, Any]) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"
