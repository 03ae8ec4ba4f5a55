"""Reads the body of a chat completion, whole or streamed, as hostile bytes of any kind and length."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from qdkernel.llm.chat import FailureKind
from qdkernel.llm.failures import RAISE_CONTEXT, Failure, Unusable, error_failure, failure_of, looks_like_html
from qdkernel.llm.text import LONGEST_REPLY
from qdkernel.llm.usage import Counts, Work, counts_of
from qdkernel.llm.wrapping import bare, is_unfinished_thought, of_tool_call, text_of, thinking_of

# JSON may spell a character in six bytes, and vendors add a model's thinking in fields of their own.
_LONGEST_BODY = 16 * LONGEST_REPLY
_LONGEST_STREAM = 256 * LONGEST_REPLY  # each token comes in an event of some 250 bytes, comments between them
_FULL = frozenset({"length", "max_tokens", "model_length"})  # OpenAI's word, and those of two that imitate it
_FILTERED = frozenset({"content_filter", "safety", "refusal"})
_CONTEXT_SHARE = 0.9  # of max_tokens; a reply that was cut below it met another limit, that of the context
_LEAST_CONTEXT = 1024  # tokens; no server has a smaller one, so smaller counts are made up
_SAID = 200  # bytes of a body that are quoted

_Json = Mapping[str, Any]  # Any: JSON values from a server


@dataclass(frozen=True)
class Answered:
    """What a server answered.

    Attributes:
        text: the reply, without thinking and template tokens; some text besides blanks.
        length: characters generated, as far as they were sent: with what was left out.
        finish_reason: ``stop`` or ``length``.
        counts: tokens as counted by the server.
    """

    text: str
    length: int
    finish_reason: str
    counts: Counts


@dataclass(frozen=True)
class Expected:
    """What is known of the request whose answer is read.

    Attributes:
        max_tokens: its limit.
        key_name: the environment variable that holds the key, for advice.
    """

    max_tokens: int
    key_name: str | None


def read_body(chunks: Iterable[bytes], content_type: str, status: int, expected: Expected) -> Answered:
    """The contents of the body of a successful response.

    Args:
        chunks: the body as it arrives.
        content_type: of the response; decides whether this is a stream, not what was asked for.
        status: from 200 to 299.
        expected: of the request.

    Raises:
        Unusable: it is not a chat completion, or one without a usable text; with the tokens that it cost.
    """
    if "event-stream" in content_type.lower():
        return _read_stream(chunks, expected)
    body = bytearray()
    try:
        for chunk in chunks:
            body += chunk
            if len(body) > _LONGEST_BODY:
                raise _too_long()
    except Exception as error:
        failure = failure_of(error, expected.key_name)
        # A whole reply is sent when it is complete, so all of it was generated, however little of it arrived.
        work = Work.RECEIVED if failure.kind is FailureKind.TOO_LONG else Work.MOST
        raise Unusable(replace(failure, work=work, received=len(body))) from None
    text = bytes(body).strip()
    if not text:
        advice = "check base_url, usually up to /v1"
        raise Unusable(Failure(FailureKind.GARBLED, f"HTTP {status} without a body", advice=advice, work=Work.PROMPT))
    if text.startswith((b"data:", b"event:", b": ")):
        return _read_stream([text], expected)
    return _whole(text, expected)


# -- one body ---------------------------------------------------------------------------------------------------------


def _whole(body: bytes, expected: Expected) -> Answered:
    counts = Counts()
    try:
        data = _json(body)
        if not isinstance(data, Mapping):
            raise _wrong_shape("not an object", body)
        counts = counts_of(data)
        _check_error(data, expected.key_name)
        choice = _first_choice(data)
        if choice is None:
            raise _wrong_shape("no choices", body)
        _check_error(choice, expected.key_name)
        parts = _Parts()
        if not parts.add(choice.get("message"), choice.get("text")):
            raise _wrong_shape("a choice without a message", body)
        # A whole body is not cut, so servers that leave the reason out are believed to have stopped.
        reason = _word(choice.get("finish_reason")) or _word(data.get("done_reason")) or "stop"
        return _judged(parts, reason, counts, expected)
    except Unusable as unusable:
        failure = unusable.failure
        received = failure.received or len(body)
        raise Unusable(replace(failure, counts=failure.counts.or_else(counts), received=received)) from None


def _first_choice(data: _Json) -> _Json | None:
    """The first choice; also the message of Ollama's own format, which has none."""
    choices = data.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], Mapping):
        return choices[0]
    return data if "choices" not in data and isinstance(data.get("message"), Mapping) else None


class _Parts:
    """The texts of one reply, by what they are."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._calls: dict[object, list[str]] = {}
        self.refusal = ""
        self.length = self.said = 0  # characters: of everything, and of what is no thinking

    def add(self, message: object, plain: object = None) -> bool:
        """Adds a message or a piece of one, or the text of a plain completion; false when there is neither."""
        if not isinstance(message, Mapping):
            self._texts.append(self._counted(text_of(plain)))
            return isinstance(plain, str)
        self._texts.append(self._counted(text_of(message.get("content"))))
        self._thoughts.append(thinking_of(message))
        self.length += len(self._thoughts[-1])
        self.refusal += self._counted(_word(message.get("refusal")))
        calls = message.get("tool_calls")
        functions = [(call.get("index", at), call.get("function", call)) for at, call in enumerate(_maps(calls))]
        functions += [("legacy", message.get("function_call"))]
        for index, function in functions:
            if isinstance(function, Mapping):
                self._add_call(index, function.get("arguments", function.get("input")))
        return True

    @property
    def text(self) -> str:
        """The reply: what is said, else what tool calls hold."""
        said = "".join(self._texts)
        if not self._calls:
            return said
        called = "\n".join(of_tool_call("".join(pieces)) for pieces in self._calls.values())
        return f"{said}\n{called}" if said.strip() else called

    @property
    def thinking(self) -> str:
        """What the fields for thinking hold."""
        return "".join(self._thoughts)

    def _add_call(self, index: object, arguments: object) -> None:
        text = arguments if isinstance(arguments, str) else json.dumps(arguments) if arguments else ""
        if text:
            self._calls.setdefault(str(index), []).append(self._counted(text_of(text)))

    def _counted(self, text: str) -> str:
        self.length += len(text)
        self.said += len(text)
        return text


# -- a stream ---------------------------------------------------------------------------------------------------------


class _Stream:
    """What has been read of a stream of server-sent events, one JSON document per ``data:`` line.

    Servers send each event on one line; an event spread over several, which the standard allows, is not joined.
    """

    def __init__(self, expected: Expected) -> None:
        self._expected = expected
        self.parts = _Parts()
        self.counts = Counts()
        self._rest = b""
        self._event_name = b""
        self._size = 0
        self.finish_reason = ""
        self.ended = False

    def feed(self, chunk: bytes) -> None:
        self._size += len(chunk)
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._line(line)
        if len(self._rest) > _LONGEST_BODY or self._size > _LONGEST_STREAM:
            raise _too_long()

    def answered(self) -> Answered:
        self._line(self._rest)
        if not self.finish_reason and not (self.ended and self.parts.length):
            what = f"the stream ended after {self.parts.length} characters without a finish reason"
            raise Unusable(Failure(FailureKind.CUT, what, work=Work.RECEIVED))
        # The mark of the end also means that the reply is complete.
        return _judged(self.parts, self.finish_reason or "stop", self.counts, self._expected)

    def _line(self, line: bytes) -> None:
        line = line.strip()
        if not line:
            self._event_name = b""
        field, _, value = line.partition(b":")
        value = value.strip()
        if field == b"event":
            self._event_name = value
        elif field == b"error" and value:
            raise Unusable(error_failure(_error_in(_json(value)), self._expected.key_name))
        elif field == b"data" and value == b"[DONE]":
            self.ended = True
        elif field == b"data" and value:
            self._event(_json(value), value)
        elif line.startswith(b"{"):
            self._event(_json(line), line)

    def _event(self, data: object, raw: bytes) -> None:
        if self._event_name == b"error":
            raise Unusable(error_failure(_error_in(data), self._expected.key_name))
        if not isinstance(data, Mapping):
            raise _wrong_shape("a chunk that is not an object", raw)
        self.counts = counts_of(data).or_else(self.counts)
        _check_error(data, self._expected.key_name)
        if self.ended:
            return
        choice = _first_choice(data)
        if choice is None or choice.get("index") not in (0, None):
            return  # token counts, a sign of life, or another reply that extra fields asked for
        _check_error(choice, self._expected.key_name)
        delta, message = choice.get("delta"), choice.get("message")
        if not isinstance(delta, Mapping) or (not delta and not self.parts.length and message):
            delta = message  # in pieces as Ollama's own format has it, or whole
        self.parts.add(delta, choice.get("text"))
        reason = choice.get("finish_reason") or (data.get("done_reason") if data.get("done") else None)
        self.finish_reason = _word(reason) or self.finish_reason
        if self.parts.said > LONGEST_REPLY:
            raise _too_long()


def _read_stream(chunks: Iterable[bytes], expected: Expected) -> Answered:
    stream = _Stream(expected)
    try:
        for chunk in chunks:
            stream.feed(chunk)
            if stream.ended:
                break  # some servers keep the connection open
        return stream.answered()
    except Exception as error:
        failure = failure_of(error, expected.key_name)
        if stream.finish_reason and not isinstance(error, Unusable):
            return stream.answered()  # the reply is complete: whatever happened, it only cost the token counts
        work = Work.RECEIVED if failure.work in (Work.NONE, Work.PROMPT) else failure.work
        counts = failure.counts.or_else(stream.counts)
        raise Unusable(replace(failure, work=work, counts=counts, received=stream.parts.length)) from None


# -- both -------------------------------------------------------------------------------------------------------------


def _judged(parts: _Parts, reason: str, counts: Counts, expected: Expected) -> Answered:
    reason = reason.lower()
    if parts.refusal.strip() or reason in _FILTERED:
        what, said = "the model or its filter declined", parts.refusal or reason
        raise Unusable(Failure(FailureKind.CONTENT_FILTERED, what, said, again=False, work=Work.RECEIVED))
    if reason == "error":
        raise Unusable(Failure(FailureKind.SERVER, "the server broke off with an error", work=Work.RECEIVED))
    full = reason in _FULL
    text = parts.text
    if not text.strip() and not full:
        text = parts.thinking  # some servers take a reply for thinking when the model marks neither
    if len(text) > LONGEST_REPLY:
        raise _too_long()
    spoken = bare(text)
    if not spoken.strip() or (full and is_unfinished_thought(text)):
        raise Unusable(_empty(full, parts.length, counts, expected))
    return Answered(spoken, parts.length, "length" if full else "stop", counts)


def _empty(full: bool, length: int, counts: Counts, expected: Expected) -> Failure:
    if not full:
        return Failure(FailureKind.EMPTY, "the reply is empty", work=Work.RECEIVED, received=length)
    # The same request would end the same way, and be billed each time.
    if cut_by_context(counts, expected.max_tokens):
        total = (counts.prompt or 0) + (counts.completion or 0)
        what, advice = f"the reply is empty: the server's context of about {total:,} tokens is full", RAISE_CONTEXT
    else:
        what, advice = "the reply is empty: thinking took all of its tokens", "raise max_tokens or have it think less"
    return Failure(FailureKind.EMPTY, what, advice=advice, again=False, work=Work.MOST, received=length)


def cut_by_context(counts: Counts, max_tokens: int) -> bool:
    """Whether a reply that was cut met the end of the server's context, before the limit that was asked for."""
    if counts.prompt is None or counts.completion is None:
        return False  # hidden thinking may have taken the tokens that did not arrive
    return counts.prompt + counts.completion >= _LEAST_CONTEXT and counts.completion < _CONTEXT_SHARE * max_tokens


def _maps(values: object) -> list[_Json]:
    return [value for value in values if isinstance(value, Mapping)] if isinstance(values, list) else []


def _word(value: object) -> str:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def _error_in(data: object) -> object:
    return data.get("error") or data if isinstance(data, Mapping) else data


def _check_error(data: _Json, key_name: str | None) -> None:
    error = data.get("error") or (data if data.get("object") == "error" else None)
    if error:
        raise Unusable(error_failure(error, key_name))


def _json(raw: bytes) -> object:
    try:
        data: object = json.loads(raw)
    except (ValueError, RecursionError):  # ValueError: also bytes that are not UTF-8, and numbers of 10,000 digits
        said = raw[:_SAID].decode("utf-8", "replace").strip()
        what = "HTTP 200 with a web page" if looks_like_html(said) else "HTTP 200 with broken JSON"
        advice = "check base_url, usually up to /v1" if looks_like_html(said) else ""
        raise Unusable(Failure(FailureKind.GARBLED, what, said, advice, work=Work.RECEIVED)) from None
    return data


def _wrong_shape(lack: str, raw: bytes) -> Unusable:
    what = f"HTTP 200 with JSON that is not a chat completion: {lack}"
    said = raw[:_SAID].decode("utf-8", "replace")
    return Unusable(Failure(FailureKind.GARBLED, what, said, work=Work.RECEIVED))


def _too_long() -> Unusable:
    what = f"the reply is longer than {LONGEST_REPLY >> 10} KiB"
    advice = "no kernel is; lower max_tokens"
    return Unusable(Failure(FailureKind.TOO_LONG, what, advice=advice, again=False, work=Work.RECEIVED))
