"""Holds conversations with models: several at once, each in a thread, every request and reply committed as it happens.

An endpoint that keeps failing backs off, longer each time, and the run continues with the others.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from qdkernel.config import LlmConfig
from qdkernel.core import StopReason
from qdkernel.errors import QdkernelError
from qdkernel.llm import CallFailed, Completion, Endpoint, FailureKind, Message, TokenUsage, clean_line
from qdkernel.machine import CoreLock
from qdkernel.mutators.llm import Assignment, Ending, converse
from qdkernel.mutators.llm.prompts import estimate_tokens
from qdkernel.runs import RunFolder, StoredCall
from qdkernel.search.llm.back_off import BackOff
from qdkernel.search.llm.budget import BudgetedCall, TokenBudget, Usage
from qdkernel.search.llm.endpoint_status import EndpointStatus
from qdkernel.search.llm.notices import Notices

_QUOTED = 140  # characters of a reply that are shown when nothing can be read from it


@dataclass(frozen=True)
class FinishedConversation:
    """A conversation that has ended.

    Attributes:
        number: in the run folder.
        model: which was asked.
        assignment: what it was about.
        ending: what came of it.
        failure: why the model gave no usable reply; ``None`` when it gave one.
        cost: of its requests, as a share of the budget.
    """

    number: int
    model: str
    assignment: Assignment
    ending: Ending
    failure: FailureKind | None
    cost: float


@dataclass
class _Conversation:
    number: int
    model: str
    assignment: Assignment
    answered: Mapping[int, StoredCall] = field(default_factory=dict)
    turn: int = 0
    charge: Usage = field(default_factory=Usage)


class LLMDispatcher:
    """The models of a run.

    Args:
        folder: where requests and replies are committed; by the thread that sends or receives them, at once.
        endpoints: by the model's name.
        budget: asked before every request.
        function: the problem's function, which a reply must define.
        config: of the run's models, with the rule by which an endpoint backs off.
        say: shows a message to the user.
    """

    def __init__(
        self,
        folder: RunFolder,
        endpoints: Mapping[str, Endpoint],
        budget: TokenBudget,
        function: str,
        config: LlmConfig,
        say: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._endpoints = {
            name: EndpointStatus(
                endpoint, threading.Semaphore(endpoint.spec.parallel), BackOff(config.rest_after, config.rest_s)
            )
            for name, endpoint in endpoints.items()
        }
        self._budget = budget
        self._function = function
        self._config = config
        self._notices = Notices(folder, say)
        self._ended: queue.SimpleQueue[FinishedConversation | Exception] = queue.SimpleQueue()
        self._under_way = 0
        self._closing = False
        self._update_costs()

    @property
    def under_way(self) -> int:
        """Conversations begun and not collected yet."""
        return self._under_way

    @property
    def models(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self._endpoints)

    @property
    def slots(self) -> int:
        """Requests that may be under way at once, over all models."""
        return sum(status.endpoint.spec.parallel for status in self._endpoints.values())

    @property
    def available(self) -> bool:
        """Whether any model may still answer, now or after its back-off."""
        return any(not status.back_off.disabled_reason for status in self._endpoints.values())

    @property
    def backing_off(self) -> bool:
        """Whether any model backs off, and may answer later."""
        now = time.monotonic()
        return any(status.back_off.active(now) for status in self._endpoints.values())

    def describe(self) -> str:
        """Requests, tokens and money so far, and which models are not asked at the moment."""
        spent, now = self._budget.spent, time.monotonic()
        text = f"{spent.requests} requests, {self._under_way} under way, {spent.tokens / 1000:.0f}k tokens"
        if spent.usd:
            text += f", ${spent.usd:.2f}"
        without = [name for name, status in self._endpoints.items() if not status.back_off.permits(now)]
        return text + (f", without {' and '.join(without)}" if without else "")

    def free(self) -> list[str]:
        """Models that can be asked now."""
        now = time.monotonic()
        return [
            name for name, status in self._endpoints.items() if status.free(now) and self._budget.fits(status.max_cost)
        ]

    def lacking(self) -> StopReason | None:
        """The budget that is spent, as far as requests to models go: none of the models' requests would fit."""
        reasons = [self._budget.exhausted(status.max_cost) for status in self._endpoints.values()]
        return reasons[0] if reasons and all(reasons) else None

    def begin(self, number: int, model: str, assignment: Assignment, calls: tuple[StoredCall, ...] = ()) -> None:
        """Holds a conversation, committed as ``number``, in a thread; what was answered is not asked again."""
        answered = {call.turn: call for call in calls if call.reply is not None or call.failure is not None}
        conversation = _Conversation(number, model, assignment, answered)
        self._endpoints[model].busy += 1
        self._under_way += 1
        # a daemon: a hanging server must not keep the process alive
        threading.Thread(target=self._hold, args=(conversation,), name=f"model-{number}", daemon=True).start()

    def collect(self) -> Iterator[FinishedConversation]:
        """Conversations that ended since the last time; also decides which models back off. For the main thread.

        Raises:
            Exception: what went wrong in a conversation's thread, e.g. ``RunFolderError`` for a full disk.
        """
        while True:
            self._notices.publish()
            try:
                ended = self._ended.get_nowait()
            except queue.Empty:
                return
            if isinstance(ended, Exception):
                raise ended
            self._under_way -= 1
            status = self._endpoints[ended.model]
            status.busy -= 1
            self._record(ended, status.back_off)
            yield ended

    def drain(self, patience_s: float) -> Iterator[FinishedConversation]:
        """No more requests; what comes back within ``patience_s`` seconds."""
        self._closing = True
        deadline = time.monotonic() + patience_s
        while self._under_way and time.monotonic() < deadline:
            yield from self.collect()
            time.sleep(0.02)
        yield from self.collect()

    def close(self) -> None:
        """Ends all requests; those without an answer stay unanswered in the run folder, to be asked again."""
        self._closing = True
        for status in self._endpoints.values():
            status.endpoint.close()

    def _hold(self, conversation: _Conversation) -> None:
        """Runs in the conversation's thread."""
        ending, failure = Ending(), None
        try:
            ending = converse(
                conversation.assignment,
                lambda messages: self._ask(conversation, messages),
                self._function,
                self._config.resamples,
            )
        except CallFailed as error:
            failure, ending = error.kind, Ending(reason=str(error))
        except Exception as error:  # a full disk, or a fault of ours: raised in the main thread
            if not self._closing:
                self._ended.put(error)
            return
        finished = FinishedConversation(
            conversation.number,
            conversation.model,
            conversation.assignment,
            ending,
            failure,
            self._budget.share(conversation.charge),
        )
        self._ended.put(finished)

    def _ask(self, conversation: _Conversation, messages: tuple[Message, ...]) -> Completion:
        turn, conversation.turn = conversation.turn, conversation.turn + 1
        if turn in conversation.answered:
            return answer_of(conversation.answered[turn])
        status = self._endpoints[conversation.model]
        with status.slots:
            completion = self._send(conversation, turn, status, messages)
        with CoreLock().shared():
            pass  # reading the reply computes, so it does not begin beside a benchmark
        return completion

    def _send(
        self, conversation: _Conversation, turn: int, status: EndpointStatus, messages: tuple[Message, ...]
    ) -> Completion:
        prompt_tokens = sum(estimate_tokens(message.content) for message in messages)
        if self._closing:
            raise CallFailed(FailureKind.CANCELLED, "the run is ending", attempts=0)
        observer = BudgetedCall(
            self._budget,
            lambda: status.cost_at_most(prompt_tokens),
            lambda kind, text: self._notices.add(conversation.model, kind, text),
        )
        if not observer.admit():
            if turn == 0:  # so that such a prompt is not composed again before there may be room
                status.max_cost = status.cost_at_most(prompt_tokens)
            raise CallFailed(FailureKind.CANCELLED, "the budget has no room for it", attempts=0)
        try:
            call = self._folder.conversations.add_call(conversation.number, turn, messages)  # before it is sent
            completion = status.endpoint.complete(messages, observer)
            status.learn(prompt_tokens, completion.usage, completion.attempts)
            self._folder.conversations.answer_call(call, completion)
        except CallFailed as error:
            status.learn(prompt_tokens, error.usage, error.attempts)
            if self._closing:
                error = CallFailed(FailureKind.CANCELLED, str(error), error.attempts, error.usage)
            self._folder.conversations.fail_call(call, error)
            raise error from None
        finally:
            observer.close()
            self._update_costs()
            conversation.charge += observer.spent
        return completion

    def _update_costs(self) -> None:
        for status in self._endpoints.values():
            status.max_cost = status.cost_at_most(self._config.prompt_tokens)

    def _record(self, ended: FinishedConversation, back_off: BackOff) -> None:
        """Counts how a conversation ended, and announces what follows for the model."""
        kind, reason, ending = ended.failure, ended.ending.reason, ended.ending
        if kind is FailureKind.CANCELLED:
            return
        if kind is None and not (ending.proposal or ending.plan or ending.text or ending.understood):
            kind = FailureKind.UNREADABLE
            reply = next((m.content for m in reversed(ending.messages) if m.role == "assistant"), "")
            self._notices.add(ended.model, kind, f"{reason}; the reply begins: {clean_line(reply, _QUOTED)}")
            self._notices.publish()
        if kind is None:
            if back_off.succeeded():
                self._notices.announce(f"model {ended.model} answers again")
        elif follows := back_off.failed(kind, reason, time.monotonic()):
            self._notices.announce(f"model {ended.model} {follows}")


def answer_of(call: StoredCall) -> Completion:
    """The stored answer to a request.

    Raises:
        CallFailed: the answer was that there is none.
    """
    usage = TokenUsage(call.prompt_tokens, call.completion_tokens, call.cost, call.estimated_tokens)
    if call.failure is not None:
        raise CallFailed(call.failure.kind, call.failure.text, call.attempts, usage)
    if call.reply is None:
        raise QdkernelError(f"call {call.id} was never answered")
    return Completion(
        text=call.reply,
        finish_reason=call.finish_reason,
        prompt_tokens=call.prompt_tokens,
        completion_tokens=call.completion_tokens,
        attempts=call.attempts,
        cost=call.cost,
        estimated_tokens=call.estimated_tokens,
    )
