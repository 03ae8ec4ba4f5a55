"""What a run folder keeps of conversations with models: rows of its database as values, and back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from qdkernel.llm import FailureKind, Message
from qdkernel.mutators.llm import Assignment
from qdkernel.runs.kinds import End
from qdkernel.runs.records import to_json
from qdkernel.runs.store import now
from qdkernel.runs.stored_rows import CallRow, ConversationRow


@dataclass(frozen=True)
class CallFailure:
    """Why a call brought no usable reply; ``text`` comes from outside, so it may hold anything."""

    kind: FailureKind
    text: str


@dataclass(frozen=True)
class StoredCall:
    """One request of a conversation and what came back.

    Attributes:
        id: number of the call in its run.
        turn: its place in the conversation.
        messages: what was sent.
        reply: the text that came back; ``None`` without one.
        finish_reason: ``stop`` or ``length``; empty without a reply.
        prompt_tokens: of all its requests, failed ones included; as the server counted, or estimated.
        completion_tokens: the same for what was generated.
        estimated_tokens: how many of both are an estimate.
        cost: US dollars.
        asked: how often it was asked; more than once when a run was stopped before the answer came.
        attempts: HTTP requests sent; the one that may be under way counts.
        failure: why the call brought no usable reply; ``None`` otherwise.
        asked_at: UTC, ISO 8601, the last time.
        answered_at: when reply or failure came; ``None`` while there is neither.
        latency_s: seconds from asking to reply or failure; ``None`` while there is neither.
    """

    id: int
    turn: int
    messages: tuple[Message, ...]
    reply: str | None
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    estimated_tokens: int
    cost: float
    asked: int
    attempts: int
    failure: CallFailure | None
    asked_at: str
    answered_at: str | None
    latency_s: float | None

    @property
    def answered(self) -> bool:
        """Whether there is a reply or a failure: then it is never asked again."""
        return self.answered_at is not None


@dataclass(frozen=True)
class StoredConversation:
    """A conversation with a model.

    Attributes:
        id: from 1, in the order of their commit.
        assignment: what it was about.
        model: by its name in the run.
        started_at: UTC, ISO 8601.
        ended: how; ``None`` while it goes on.
        reason: why it ended without a result; empty otherwise.
        calls: requests and replies, by turn.
    """

    id: int
    assignment: Assignment
    model: str
    started_at: str
    ended: End | None
    reason: str
    calls: tuple[StoredCall, ...]


@dataclass(frozen=True)
class Ended:
    """What ending a conversation committed: the proposal's number, and those of the conversations that follow."""

    proposal_number: int | None
    conversations: tuple[int, ...]


@dataclass(frozen=True)
class Spending:
    """What one model, or several, have cost.

    Attributes:
        requests: HTTP requests sent, those under way included.
        prompt_tokens: of all requests, failed ones included.
        completion_tokens: the same for what was generated.
        cost: US dollars.
        replies: calls that were answered.
        failures: calls that failed after all attempts.
        estimated_tokens: how many of the tokens are an estimate, as the server did not count them.
    """

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    replies: int = 0
    failures: int = 0
    estimated_tokens: int = 0

    @property
    def tokens(self) -> int:
        """In both directions."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Spending) -> Spending:
        return Spending(
            self.requests + other.requests,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cost + other.cost,
            self.replies + other.replies,
            self.failures + other.failures,
            self.estimated_tokens + other.estimated_tokens,
        )


@dataclass(frozen=True)
class Bill:
    """What one reply or failure cost, and when it came.

    Attributes:
        elapsed_s: seconds that the run had been active.
        tokens: in both directions.
        cost: US dollars.
        latency_s: seconds from asking to the answer; ``None`` when the run was stopped in between.
        model: which model was asked.
        failed: whether it brought no usable reply.
    """

    elapsed_s: float
    tokens: int
    cost: float
    latency_s: float | None = None
    model: str = ""
    failed: bool = False


@dataclass(frozen=True)
class FailureCount:
    """How often a model failed in one way.

    Attributes:
        model: its name.
        kind: in which.
        calls: that failed so; conversations for unreadable replies.
        text: of the last one; from outside, so it may hold anything.
    """

    model: str
    kind: FailureKind
    calls: int
    text: str


def new_conversation(assignment: Assignment, model: str) -> dict[str, Any]:  # Any: what SQLite stores
    """Columns of ``conversations`` for one about to be held."""
    return {
        "operator": assignment.operator,
        "model": model,
        "started_at": now(),
        "reason": "",
        "assignment": to_json(assignment.to_json()),
    }


def new_call(conversation_id: int, turn: int, request: str) -> dict[str, Any]:  # Any: what SQLite stores
    """Columns of ``model_calls`` for a request about to be sent; its first attempt is counted already."""
    return {
        "conversation_id": conversation_id,
        "turn": turn,
        "asked": 1,
        "attempts": 1,
        "finish_reason": "",
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "estimated_tokens": 0,
        "cost": 0.0,
        "asked_at": now(),
        "request": request,
    }


def conversation_of(row: ConversationRow, calls: Iterable[CallRow]) -> StoredConversation:
    """The conversation in a row, with the rows of its calls."""
    return StoredConversation(
        id=row.id,
        assignment=row.assignment,
        model=row.model,
        started_at=row.started_at,
        ended=row.ended,
        reason=row.reason,
        calls=tuple(map(_call_of, calls)),
    )


def _call_of(row: CallRow) -> StoredCall:
    return StoredCall(
        id=row.id,
        turn=row.turn,
        messages=row.request,
        reply=_text(row.reply),
        finish_reason=row.finish_reason,
        prompt_tokens=row.prompt_tokens,
        completion_tokens=row.completion_tokens,
        estimated_tokens=row.estimated_tokens,
        cost=row.cost,
        asked=row.asked,
        attempts=row.attempts,
        failure=None if row.failure_kind is None else CallFailure(row.failure_kind, row.failure or ""),
        asked_at=row.asked_at,
        answered_at=row.answered_at,
        latency_s=row.latency_s,
    )


def exact(text: str) -> str | bytes:
    """``text`` for a column; as bytes when it holds what UTF-8 cannot: a replay must read what the run read."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def _text(stored: str | bytes | None) -> str | None:
    return stored.decode("utf-8", "surrogatepass") if isinstance(stored, bytes) else stored
