"""Messages to a model, its replies, and how a request can fail."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Message:
    """One message of a conversation."""

    role: Role
    content: str


@dataclass(frozen=True)
class Completion:
    """A model's reply to one request.

    Attributes:
        text: the reply.
        finish_reason: ``stop``, or ``length`` when the token limit cut it.
        prompt_tokens: as the server counted; estimated when it did not say.
        completion_tokens: the same for the reply.
        attempts: HTTP requests it took.
        cost: US dollars by the configured prices; failed attempts are taken as not billed.
    """

    text: str
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    attempts: int = 1
    cost: float = 0.0


class FailureKind(enum.StrEnum):
    """Why a call gave no reply."""

    RATE_LIMIT = "rate_limit"
    """429, also after waiting as told."""
    SERVER = "server"
    """5xx, 408, 409."""
    CONNECTION = "connection"
    """No connection, reset, a body or stream cut short."""
    TIMEOUT = "timeout"
    """No answer within the endpoint's time limit."""
    REJECTED = "rejected"
    """400, 404, 422: the request itself is wrong; asking again changes nothing."""
    KEY = "key"
    """401, 403: the key is missing or wrong."""
    GARBLED = "garbled"
    """200, but not a chat completion: broken JSON, HTML, another shape."""
    CUT = "cut"
    """A stream that ended without a finish reason."""
    EMPTY = "empty"
    """A reply without text."""
    CONTENT_FILTERED = "content_filtered"
    """The model or a content filter declined."""
    TOO_LONG = "too_long"
    """A reply larger than any kernel could be."""
    CANCELLED = "cancelled"
    """The run stopped meanwhile."""


class CallFailed(Exception):
    """A request that brought no usable reply, after all attempts.

    Attributes:
        kind: why.
        attempts: HTTP requests sent.
    """

    def __init__(self, kind: FailureKind, text: str, attempts: int = 1) -> None:
        super().__init__(text)
        self.kind = kind
        self.attempts = attempts


Ask = Callable[[tuple[Message, ...]], Completion]
"""Asks the model; raises ``CallFailed``."""
