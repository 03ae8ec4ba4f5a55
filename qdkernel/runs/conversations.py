"""Conversations with models in a run folder: every request committed before it is sent, every reply as it comes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qdkernel.core import Arm, Proposal
from qdkernel.llm import CallFailed, Completion, FailureKind, Message, TokenUsage
from qdkernel.mutators.llm import Assignment
from qdkernel.runs.conversation_records import (
    Bill,
    Ended,
    FailureCount,
    Spending,
    StoredConversation,
    conversation_of,
    exact,
    new_call,
    new_conversation,
)
from qdkernel.runs.kinds import End
from qdkernel.runs.records import storable, to_json
from qdkernel.runs.store import RunStore, insert_proposal, insert_row, now, put_state
from qdkernel.runs.stored_rows import BillRow, CallRow, ConversationRow, EndingRow, FailureRow, SpendingRow

_PAGE = 20  # conversations read at a time; each carries its prompts, some 100 kB
_CALLS = "SELECT * FROM model_calls WHERE conversation_id = ? ORDER BY turn"


class ConversationLog:
    """The conversations of a run; every method may be called from several threads.

    Args:
        store: the database of the run folder.
    """

    def __init__(self, store: RunStore) -> None:
        self._store = store
        self._asked_at: dict[int, float] = {}  # by call, of this process's monotonic clock

    def add(self, assignment: Assignment, model: str) -> int:
        """Commits a conversation about to be held and returns its number."""
        with self._store.transaction() as database:
            return insert_row(database, "conversations", new_conversation(assignment, model))

    def add_call(self, conversation_id: int, turn: int, messages: Sequence[Message]) -> int:
        """Commits a request about to be sent and returns its number.

        A request that was committed before, but never answered, keeps its number and is counted once more.

        Raises:
            ValueError: no such conversation, one that has ended, or a turn that was answered.
        """
        request = to_json([{"role": message.role, "content": message.content} for message in messages])
        with self._store.transaction() as database:
            self._check_open(conversation_id)
            query = "SELECT id, answered_at FROM model_calls WHERE conversation_id = ? AND turn = ?"
            earlier = self._store.rows(query, (conversation_id, turn))
            if not earlier:
                call_id = insert_row(database, "model_calls", new_call(conversation_id, turn, request))
            elif earlier[0]["answered_at"] is not None:
                raise ValueError(f"turn {turn} of conversation {conversation_id} was answered already; use that answer")
            else:
                call_id = int(earlier[0]["id"])
                again = "asked = asked + 1, attempts = attempts + 1, asked_at = ?, request = ?"
                database.execute(f"UPDATE model_calls SET {again} WHERE id = ?", (now(), request, call_id))
            self._asked_at[call_id] = time.monotonic()
            return call_id

    def answer_call(self, call_id: int, completion: Completion) -> None:
        """Commits a reply as it came, whatever characters it is made of.

        Raises:
            ValueError: no such call, or one that was answered.
        """
        answer = {
            "reply": exact(completion.text),
            "finish_reason": storable(completion.finish_reason),
        }
        self._settle(call_id, completion.attempts, completion.usage, answer)

    def fail_call(self, call_id: int, failure: CallFailed) -> None:
        """Commits that a request brought no usable reply.

        A cancelled one counts its attempts and what they cost, but stays unanswered: a resume sends it again.

        Raises:
            ValueError: no such call, or one that was answered.
        """
        if failure.kind is FailureKind.CANCELLED:
            self._settle(call_id, failure.attempts, failure.usage, None)
        else:
            found = {"failure_kind": failure.kind, "failure": storable(str(failure))}
            self._settle(call_id, failure.attempts, failure.usage, found)

    def end(
        self,
        conversation_id: int,
        how: End,
        reason: str = "",
        proposal: Proposal | None = None,
        next_ones: Sequence[tuple[Assignment, str]] = (),
        state: Mapping[str, Any] | None = None,  # Any: JSON values
    ) -> Ended:
        """Commits how a conversation ended and all that follows from it, in one transaction.

        Args:
            conversation_id: from ``add``.
            how: what it ended with.
            reason: why it brought nothing.
            proposal: what it brought; in flight until it is evaluated. With ``how`` ``proposal`` only.
            next_ones: the conversations that follow, e.g. one per strategy of a plan, each with its model.
            state: JSON values to keep for a resume, by key.

        Raises:
            ValueError: no such conversation, one that has ended, or ``how`` and ``proposal`` do not fit.
        """
        if (how is End.PROPOSAL) != (proposal is not None):
            raise ValueError(
                f"a conversation ends in {End.PROPOSAL.value!r} exactly when it brings one; got {how.value!r}"
            )
        with self._store.transaction() as database:
            self._check_open(conversation_id)
            database.execute(
                "UPDATE conversations SET ended = ?, ended_at = ?, reason = ? WHERE id = ?",
                (how, now(), storable(reason), conversation_id),
            )
            number = None if proposal is None else insert_proposal(database, proposal, conversation_id)
            following = tuple(
                insert_row(database, "conversations", new_conversation(assignment, model))
                for assignment, model in next_ones
            )
            put_state(database, state or {})
            return Ended(number, following)

    def unended(self) -> list[StoredConversation]:
        """Conversations under way when the run stopped, oldest first, with what was asked and answered."""
        return self._conversations("ended IS NULL ORDER BY id")

    def all(self) -> Iterator[StoredConversation]:
        """Every conversation in the order of their commit."""
        last = 0
        while page := self._conversations(f"id > ? ORDER BY id LIMIT {_PAGE}", last):
            last = page[-1].id
            yield from page

    def get(self, conversation_id: int) -> StoredConversation:
        """The conversation with this number.

        Raises:
            ValueError: no such conversation.
        """
        found = self._conversations("id = ?", conversation_id)
        if not found:
            raise ValueError(f"expected the number of a conversation of this run, got {conversation_id}")
        return found[0]

    def of_proposal(self, proposal_number: int) -> StoredConversation | None:
        """The conversation that brought a proposal; ``None`` for built-in operators."""
        found = self._conversations("id = (SELECT conversation_id FROM proposals WHERE id = ?)", proposal_number)
        return found[0] if found else None

    def spending(self) -> dict[str, Spending]:
        """What each model has cost, by its name; models never asked are left out."""
        rows = self._store.rows(
            """SELECT c.model, sum(m.attempts) AS requests, sum(m.prompt_tokens) AS prompt_tokens,
            sum(m.completion_tokens) AS completion_tokens, sum(m.cost) AS cost,
            sum(m.estimated_tokens) AS estimated_tokens,
            count(m.answered_at) - count(m.failure_kind) AS replies, count(m.failure_kind) AS failures
            FROM model_calls m JOIN conversations c ON c.id = m.conversation_id GROUP BY c.model ORDER BY c.model"""
        )
        found = [SpendingRow.of(row).model_dump() for row in rows]
        return {row.pop("model"): Spending(**row) for row in found}

    def bills(self) -> list[Bill]:
        """What each answered call cost, failed ones included, in the order in which the answers came."""
        rows = self._store.rows(
            """SELECT m.elapsed_s, m.prompt_tokens + m.completion_tokens AS tokens, m.cost, m.latency_s, c.model,
            m.failure_kind IS NOT NULL AS failed FROM model_calls m JOIN conversations c ON c.id = m.conversation_id
            WHERE m.answered_at IS NOT NULL ORDER BY m.elapsed_s, m.id"""
        )
        return [
            Bill(row.elapsed_s, row.tokens, row.cost, row.latency_s, row.model, bool(row.failed))
            for row in map(BillRow.of, rows)
        ]

    def failures(self) -> list[FailureCount]:
        """How often each model failed in which way, most frequent first; with the text of the last time.

        Calls that failed after all attempts, and conversations in which nothing could be read from the replies.
        """
        rows = self._store.rows(
            f"""SELECT model, kind, count(*) AS calls, text, max(id) FROM (
            SELECT c.model, m.failure_kind AS kind, m.failure AS text, m.id FROM model_calls m
            JOIN conversations c ON c.id = m.conversation_id WHERE m.failure_kind IS NOT NULL
            UNION ALL SELECT model, '{FailureKind.UNREADABLE}', reason, id FROM conversations
            WHERE ended = '{End.NOTHING}') GROUP BY model, kind ORDER BY calls DESC, model, kind"""
        )
        return [FailureCount(row.model, row.kind, row.calls, row.text) for row in map(FailureRow.of, rows)]

    def counts_by_ending(self) -> dict[Arm, Counter[str]]:
        """For each operator and model, how many conversations ended how; those under way count under ``''``."""
        rows = self._store.rows(
            """SELECT operator, model, ifnull(ended, '') AS ended, count(*) AS n FROM conversations
            GROUP BY operator, model, ended ORDER BY operator, model"""
        )
        counts: dict[Arm, Counter[str]] = {}
        for row in map(EndingRow.of, rows):
            counts.setdefault(Arm(row.operator, row.model), Counter())[row.ended] = row.n
        return counts

    def _conversations(self, condition: str, *values: Any) -> list[StoredConversation]:
        """Those that fulfil an SQL condition, in order, with their calls."""
        with self._store.guard:
            found = self._store.rows(f"SELECT * FROM conversations WHERE {condition}", values)
            rows = map(ConversationRow.of, found)
            return [conversation_of(row, map(CallRow.of, self._store.rows(_CALLS, (row.id,)))) for row in rows]

    def _check_open(self, conversation_id: int) -> None:
        rows = self._store.rows("SELECT ended FROM conversations WHERE id = ?", (conversation_id,))
        if not rows:
            raise ValueError(f"expected the number of a conversation of this run, got {conversation_id}")
        if rows[0]["ended"] is not None:
            raise ValueError(f"conversation {conversation_id} has ended already ({rows[0]['ended']})")

    def _settle(self, call_id: int, attempts: int, usage: TokenUsage, answer: Mapping[str, Any] | None) -> None:
        """Adds the attempts of a request, of which asking counted one, and their cost; commits the answer if any."""
        asked_at = self._asked_at.get(call_id)
        added: dict[str, Any] = {  # Any: what SQLite stores
            "attempts": attempts - 1,
            "prompt_tokens": int(usage.prompt_tokens),
            "completion_tokens": int(usage.completion_tokens),
            "estimated_tokens": int(usage.estimated_tokens),
            "cost": float(usage.cost),
        }
        changes: dict[str, Any] = {}
        if answer is not None:
            latency_s = None if asked_at is None else time.monotonic() - asked_at
            changes = {**answer, "answered_at": now(), "latency_s": latency_s, "elapsed_s": self._store.elapsed_s}
        setters = ", ".join([f"{k} = {k} + :{k}" for k in added] + [f"{k} = :{k}" for k in changes])
        with self._store.transaction() as database:
            rows = self._store.rows("SELECT answered_at FROM model_calls WHERE id = ?", (call_id,))
            if not rows:
                raise ValueError(f"expected the number of a call of this run, got {call_id}")
            if rows[0]["answered_at"] is not None:
                raise ValueError(f"call {call_id} was answered already, at {rows[0]['answered_at']}")
            database.execute(f"UPDATE model_calls SET {setters} WHERE id = :id", {**added, **changes, "id": call_id})
        self._asked_at.pop(call_id, None)
