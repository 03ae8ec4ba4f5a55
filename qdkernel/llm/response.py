"""Reads the body of a chat completion, whole or streamed, as hostile bytes of any kind and length."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from qdkernel.llm.chat import FailureKind
from qdkernel.llm.failures import Failure, Unusable, error_failure, looks_like_html
from qdkernel.llm.text import LONGEST_REPLY

# JSON may spell a character in six bytes, and vendors add a model's thinking in fields of their own.
_LONGEST_BODY = 16 * LONGEST_REPLY
_FULL = frozenset({"length", "max_tokens", "model_length"})  # OpenAI's word, and those of two that imitate it
_FILTERED = frozenset({"content_filter", "safety", "refusal"})
_THINKING, _THOUGHT = "<think>", "</think>"

_Json = Mapping[str, Any]  # Any: JSON values from a server


@dataclass(frozen=True)
class Answered:
    """What a server answered.

    Attributes:
        text: the reply, without a ``<think>`` part at its beginning; some text besides blanks.
        length: characters generated, as far as they were sent: with that part.
        finish_reason: ``stop`` or ``length``.
        prompt_tokens: as counted by the server; ``None`` when it did not say.
        completion_tokens: the same for the reply.
    """

    text: str
    length: int
    finish_reason: str
    prompt_tokens: int | None
    completion_tokens: int | None


def read_body(chunks: Iterable[bytes], content_type: str, key_name: str | None) -> Answered:
    """What the body of a response with status 200 says.

    Args:
        chunks: the body as it arrives.
        content_type: of the response; decides whether this is a stream, not what was asked for.
        key_name: the environment variable that holds the key, for advice.

    Raises:
        Unusable: it is not a chat completion, or one without a usable text.
    """
    if "event-stream" in content_type.lower():
        return _read_stream(chunks, key_name)
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > _LONGEST_BODY:
            raise _too_long()
    return _whole(_json(bytes(body)), key_name)


# -- one body ---------------------------------------------------------------------------------------------------------


def _whole(data: object, key_name: str | None) -> Answered:
    if not isinstance(data, Mapping):
        raise _wrong_shape("not an object")
    _check_error(data, key_name)
    choices = data.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        raise _wrong_shape("no choices")
    message = choices[0].get("message")
    if not isinstance(message, Mapping):
        raise _wrong_shape("a choice without a message")
    # A whole body is not cut, so servers that leave the reason out are believed to have stopped.
    reason = _word(choices[0].get("finish_reason")) or "stop"
    return _judged(_text(message.get("content")), _word(message.get("refusal")), reason, data.get("usage"))


# -- a stream ---------------------------------------------------------------------------------------------------------


class _Stream:
    """What has been read of a stream of server-sent events, one JSON document per ``data:`` line.

    Servers send each event on one line; an event spread over several, which the standard allows, is not joined.
    """

    def __init__(self, key_name: str | None) -> None:
        self._key_name = key_name
        self._texts: list[str] = []
        self._length = 0
        self._refusal = ""
        self._usage: object = None
        self._rest = b""
        self.finish_reason = ""
        self.ended = False

    def feed(self, chunk: bytes) -> None:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._line(line)
        if len(self._rest) > _LONGEST_BODY:
            raise _too_long()

    def answered(self) -> Answered:
        self._line(self._rest)
        if not self.finish_reason:
            what = f"the stream ended after {self._length} characters without a finish reason"
            raise Unusable(Failure(FailureKind.CUT, what))
        return _judged("".join(self._texts), self._refusal, self.finish_reason, self._usage)

    def _line(self, line: bytes) -> None:
        field, _, value = line.strip().partition(b":")
        if field != b"data" or self.ended:
            return
        if value.strip() == b"[DONE]":
            self.ended = True
        elif value.strip():
            self._event(_json(value))

    def _event(self, data: object) -> None:
        if not isinstance(data, Mapping):
            raise _wrong_shape("a chunk that is not an object")
        _check_error(data, self._key_name)
        self._usage = data.get("usage") or self._usage
        choices = data.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, Mapping) or choice.get("index") not in (0, None):
            return  # token counts, a sign of life, or another reply that extra fields asked for
        delta = choice.get("delta")
        if isinstance(delta, Mapping):
            self._texts.append(_text(delta.get("content")))
            self._length += len(self._texts[-1])
            self._refusal += _word(delta.get("refusal"))
        self.finish_reason = _word(choice.get("finish_reason")) or self.finish_reason
        if self._length > LONGEST_REPLY:
            raise _too_long()


def _read_stream(chunks: Iterable[bytes], key_name: str | None) -> Answered:
    stream = _Stream(key_name)
    try:
        for chunk in chunks:
            stream.feed(chunk)
            if stream.ended:
                break  # some servers keep the connection open
    except Exception:
        if not stream.finish_reason:
            raise
        # The reply is complete: whatever happened, it only cost the token counts.
    return stream.answered()


# -- both -------------------------------------------------------------------------------------------------------------


def _judged(text: str, refusal: str, reason: str, usage: object) -> Answered:
    reason = reason.lower()
    if refusal.strip() or reason in _FILTERED:
        raise Unusable(
            Failure(FailureKind.CONTENT_FILTERED, "the model or its filter declined", refusal or reason, again=False)
        )
    if reason == "error":
        raise Unusable(Failure(FailureKind.SERVER, "the server broke off with an error"))
    if len(text) > LONGEST_REPLY:
        raise _too_long()
    full = reason in _FULL
    spoken = _without_thinking(text)
    if not spoken.strip():
        raise Unusable(_empty(full))
    counts = usage if isinstance(usage, Mapping) else {}
    return Answered(
        text=spoken,
        length=len(text),
        finish_reason="length" if full else "stop",
        prompt_tokens=_count(counts.get("prompt_tokens")),
        completion_tokens=_count(counts.get("completion_tokens")),
    )


def _empty(full: bool) -> Failure:
    if not full:
        return Failure(FailureKind.EMPTY, "the reply is empty")
    # The same request would end the same way, and be billed each time.
    what, advice = "the reply is empty: thinking took all of its tokens", "raise max_tokens or have it think less"
    return Failure(FailureKind.EMPTY, what, advice=advice, again=False)


def _without_thinking(text: str) -> str:
    if not text.lstrip().startswith(_THINKING) or _THOUGHT not in text:
        return text
    return text.partition(_THOUGHT)[2].lstrip()


def _text(content: object) -> str:
    """The text of a message: a string, or a list of parts of which those of another type are left out."""
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, Mapping))
    # Half a surrogate pair, which JSON can spell, is not text that could be stored.
    return content.encode("utf-8", "replace").decode() if isinstance(content, str) else ""


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""


def _count(value: object) -> int | None:
    """A token count; nothing real is 0, which servers report for "not counted"."""
    return value if type(value) is int and 0 < value < 10**9 else None


def _check_error(data: _Json, key_name: str | None) -> None:
    error = data.get("error") or (data if data.get("object") == "error" else None)
    if error:
        raise Unusable(error_failure(error, key_name))


def _json(raw: bytes) -> object:
    try:
        data: object = json.loads(raw)
    except (ValueError, RecursionError):  # ValueError: also bytes that are not UTF-8, and numbers of 10,000 digits
        said = raw[:200].decode("utf-8", "replace").strip()
        what = "HTTP 200 with a web page" if looks_like_html(said) else "HTTP 200 with broken JSON"
        advice = "check base_url, usually up to /v1" if looks_like_html(said) else ""
        raise Unusable(Failure(FailureKind.GARBLED, what, said, advice)) from None
    return data


def _wrong_shape(lack: str) -> Unusable:
    return Unusable(Failure(FailureKind.GARBLED, f"HTTP 200 with JSON that is not a chat completion: {lack}"))


def _too_long() -> Unusable:
    what = f"the reply is longer than {LONGEST_REPLY >> 10} KiB"
    return Unusable(Failure(FailureKind.TOO_LONG, what, advice="no kernel is; lower max_tokens", again=False))
