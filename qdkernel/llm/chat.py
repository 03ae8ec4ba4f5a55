"""Messages to a model, its replies, what they cost, and how a request can fail."""

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
class TokenUsage:
    """What requests cost.

    Attributes:
        prompt_tokens: tokens sent.
        completion_tokens: tokens generated, hidden reasoning included.
        cost: US dollars by the configured prices.
        estimated_tokens: how many of all these tokens are an estimate, because the server did not count them.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    estimated_tokens: int = 0

    @property
    def tokens(self) -> int:
        """In both directions."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: TokenUsage) -> TokenUsage:
        return TokenUsage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cost + other.cost,
            self.estimated_tokens + other.estimated_tokens,
        )


@dataclass(frozen=True)
class Completion:
    """A model's reply to one call.

    Attributes:
        text: the reply.
        finish_reason: ``stop``, or ``length`` when the token limit cut it.
        prompt_tokens: of all attempts; as the server counted, estimated where it did not.
        completion_tokens: the same for what was generated.
        attempts: HTTP requests it took.
        cost: US dollars by the configured prices, of all attempts.
        estimated_tokens: how many of the tokens are an estimate.
    """

    text: str
    finish_reason: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    attempts: int = 1
    cost: float = 0.0
    estimated_tokens: int = 0

    @property
    def usage(self) -> TokenUsage:
        """What it cost, failed attempts included."""
        return TokenUsage(self.prompt_tokens, self.completion_tokens, self.cost, self.estimated_tokens)


class FailureKind(enum.StrEnum):
    """Why a call gave no reply, or none that could be used."""

    RATE_LIMIT = "rate_limit"
    """429, also after the wait that the server asked for."""
    SERVER = "server"
    """5xx, 408, 409, or an error object in place of a reply."""
    CONNECTION = "connection"
    """No connection, reset, a body or stream cut short."""
    TIMEOUT = "timeout"
    """No answer within the endpoint's time limit."""
    REJECTED = "rejected"
    """400, 404, 422, a redirect: the request itself is wrong; asking again changes nothing."""
    KEY = "key"
    """401, 403: the key is missing or wrong."""
    GARBLED = "garbled"
    """2xx, but not a chat completion: no body, broken JSON, HTML, another shape."""
    CUT = "cut"
    """A stream that ended without a finish reason."""
    EMPTY = "empty"
    """A reply without text."""
    CONTENT_FILTERED = "content_filtered"
    """The model or a content filter declined."""
    TOO_LONG = "too_long"
    """A reply larger than any kernel could be."""
    UNREADABLE = "unreadable"
    """Replies with text, but without the kernel, plan or text that was asked for."""
    CANCELLED = "cancelled"
    """The run stopped meanwhile."""


class CallFailed(Exception):
    """A call that brought no usable reply, after all attempts.

    Attributes:
        kind: why.
        attempts: HTTP requests sent.
        usage: what they cost.
    """

    def __init__(self, kind: FailureKind, text: str, attempts: int = 1, usage: TokenUsage | None = None) -> None:
        super().__init__(text)
        self.kind = kind
        self.attempts = attempts
        self.usage = usage or TokenUsage()


class CallObserver:
    """Follows the requests of one call; this one permits all of them and ignores events.

    The methods are called in the thread of the call, in the order of the requests.
    """

    def admit(self) -> bool:
        """Whether another request may be sent; every permitted one is followed by ``ended``."""
        return True

    def ended(self, usage: TokenUsage) -> None:
        """One request is over, whatever came of it, and cost this."""

    def failed(self, kind: FailureKind, text: str) -> None:
        """One request failed; ``text`` is one printable line with the server's own words."""

    def noticed(self, text: str) -> None:
        """Something about the server that a user should know, e.g. that it cuts prompts; each is reported once."""


Ask = Callable[[tuple[Message, ...]], Completion]
"""Asks the model; raises ``CallFailed``."""
