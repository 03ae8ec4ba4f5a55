"""What is said to a model and what comes of it: messages, assignments, endings, and how a call can fail."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from qdkernel.evaluators import Cell, KernelId
from qdkernel.mutators._proposal import Notes, Proposal

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Message:
    """One message of a conversation."""

    role: Role
    content: str


class Expect(enum.StrEnum):
    """What an assignment asks for; how its replies are read."""

    KERNEL = "kernel"
    """A whole kernel; edit blocks are accepted too when there is a base."""
    EDITS = "edits"
    """SEARCH/REPLACE blocks for the base; a whole kernel is accepted too."""
    PLAN = "plan"
    """A list of strategies."""
    TEXT = "text"
    """Plain text, e.g. lessons or a prompt section."""


@dataclass(frozen=True)
class Assignment:
    """A conversation about to be held; with the replies it gives the same ending every time.

    Attributes:
        operator: who asks, e.g. ``edit``.
        messages: the opening: system, user, and for a repair everything said before.
        expects: how replies are read.
        base: source that edit blocks apply to; empty when there is none.
        parents: the elites the result will descend from.
        target: the cell asked for.
        notes: JSON that the resulting proposal will carry, e.g. ``{"prompt": {...}, "stage": "..."}``.
    """

    operator: str
    messages: tuple[Message, ...]
    expects: Expect
    base: str = ""
    parents: tuple[KernelId, ...] = ()
    target: Cell | None = None
    notes: Notes = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:  # Any: JSON
        """As stored in a run folder."""
        return {
            "operator": self.operator,
            "messages": [{"role": m.role, "content": m.content} for m in self.messages],
            "expects": self.expects.value,
            "base": self.base,
            "parents": list(self.parents),
            "target": None if self.target is None else list(self.target),
            "notes": dict(self.notes),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Assignment:  # Any: JSON
        """The inverse of ``to_json``."""
        return cls(
            operator=data["operator"],
            messages=tuple(Message(m["role"], m["content"]) for m in data["messages"]),
            expects=Expect(data["expects"]),
            base=data["base"],
            parents=tuple(KernelId(parent) for parent in data["parents"]),
            target=None if data["target"] is None else tuple(data["target"]),
            notes=data["notes"],
        )


@dataclass(frozen=True)
class Strategy:
    """What a plan hands to one programmer.

    Attributes:
        parent: which of the kernels shown to the manager to start from, from 1.
        target: the cell in the manager's words.
        text: two or three sentences.
    """

    parent: int
    target: str
    text: str


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
    REFUSED = "refused"
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


@dataclass(frozen=True)
class Ending:
    """How a conversation ended: with a proposal, a plan or a text; otherwise the reason why not.

    Attributes:
        proposal: the kernel read from the reply.
        plan: one strategy per programmer.
        text: what was asked for as text.
        reason: why there is nothing, for people, models and statistics; empty when there is something.
        messages: everything said, replies included; a repair goes on from here.
    """

    proposal: Proposal | None = None
    plan: tuple[Strategy, ...] = ()
    text: str = ""
    reason: str = ""
    messages: tuple[Message, ...] = ()
