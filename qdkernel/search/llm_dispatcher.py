"""Holds conversations with models: several at once, each in a thread, every request and reply committed as it happens.

An endpoint that keeps failing is rested, longer each time, and the run goes on with the others.
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
from qdkernel.search.llm_budget import BudgetedCall, TokenBudget, Usage
from qdkernel.search.llm_health import EndpointHealth

_QUOTED = 140  # characters of a reply that are shown when nothing can be read from it


@dataclass(frozen=True)
class FinishedConversation:
    """A conversation that has ended: with its ending, or with why the model gave no usable reply."""

    number: int
    model: str
    assignment: Assignment
    ending: Ending
    failure: FailureKind | None
    charge: Usage


@dataclass
class _EndpointState:
    """A model's state: what its next request may cost at the most, slots, health.

    One conversation in four more than it has slots stands by, so that a slot is filled the moment it falls free, even
    while the main thread waits for an evaluation.
    """

    endpoint: Endpoint
    most_cost: Usage
    slots: threading.Semaphore
    health: EndpointHealth
    busy: int = 0
    prompt_factor: float = 1.0
    longest_reply: int = 0

    @property
    def most(self) -> int:
        """Conversations at once; after a rest one request tries whether the endpoint is back."""
        parallel = self.endpoint.spec.parallel
        return 1 if self.health.rests else parallel + parallel // 4

    def most_for(self, prompt_tokens: int) -> Usage:
        """The most that a request can cost whose prompt has so many tokens by estimate."""
        spec = self.endpoint.spec
        prompt = round(prompt_tokens * self.prompt_factor)
        reply = max(self.endpoint.max_tokens, self.longest_reply)
        return Usage(1, prompt + reply, (prompt * spec.input_price + reply * spec.output_price) / 1e6)

    def learn(self, prompt_tokens: int, usage: TokenUsage, attempts: int) -> None:
        """Reserves more from now on where a server counts more than was estimated, or passes its token limit."""
        if attempts == 1 and not usage.estimated_tokens:
            self.prompt_factor = max(self.prompt_factor, usage.prompt_tokens / max(1, prompt_tokens))
            self.longest_reply = max(self.longest_reply, usage.completion_tokens)


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
        ledger: asked before every request.
        function: the problem's function, which a reply must define.
        config: of the run's models; says when an endpoint is sent to rest.
        say: told when a model rests or fails for good.
    """

    def __init__(
        self,
        folder: RunFolder,
        endpoints: Mapping[str, Endpoint],
        ledger: TokenBudget,
        function: str,
        config: LlmConfig,
        say: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._lines = {
            name: _EndpointState(
                endpoint,
                Usage(),
                threading.Semaphore(endpoint.spec.parallel),
                EndpointHealth(config.rest_after, config.rest_s),
            )
            for name, endpoint in endpoints.items()
        }
        for line in self._lines.values():
            line.most_cost = line.most_for(config.prompt_tokens)
        self._ledger = ledger
        self._function = function
        self._config = config
        self._say = say
        self._ended: queue.SimpleQueue[FinishedConversation | Exception] = queue.SimpleQueue()
        self._news: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._told: set[tuple[str, str]] = set()
        self._told_lock = threading.Lock()
        self._under_way = 0
        self._closing = False

    @property
    def under_way(self) -> int:
        """Conversations begun and not collected yet."""
        return self._under_way

    @property
    def models(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(self._lines)

    @property
    def slots(self) -> int:
        """Requests that may be under way at once, over all models."""
        return sum(line.endpoint.spec.parallel for line in self._lines.values())

    @property
    def alive(self) -> bool:
        """Whether any model may still answer, now or after a rest."""
        return any(not line.health.given_up for line in self._lines.values())

    @property
    def asleep(self) -> bool:
        """Whether any model is at rest, and may answer later."""
        now = time.monotonic()
        return any(line.health.awake_at > now and not line.health.given_up for line in self._lines.values())

    def describe(self) -> str:
        """Requests, tokens and money so far, and who rests."""
        spent, now = self._ledger.spent, time.monotonic()
        text = f"{spent.requests} requests, {self._under_way} under way, {spent.tokens / 1000:.0f}k tokens"
        if spent.usd:
            text += f", ${spent.usd:.2f}"
        resting = [name for name, line in self._lines.items() if line.health.given_up or line.health.awake_at > now]
        return text + (f", without {' and '.join(resting)}" if resting else "")

    def free(self) -> list[str]:
        """Models that can be asked now."""
        now = time.monotonic()
        return [
            name
            for name, line in self._lines.items()
            if not line.health.given_up
            and line.health.awake_at <= now
            and line.busy < line.most
            and self._ledger.fits(line.most_cost)
        ]

    def lacking(self) -> StopReason | None:
        """The budget that is spent, as far as requests to models go: none of the models' requests would fit."""
        reasons = [self._ledger.exhausted(line.most_cost) for line in self._lines.values()]
        return reasons[0] if reasons and all(reasons) else None

    def begin(self, number: int, model: str, assignment: Assignment, calls: tuple[StoredCall, ...] = ()) -> None:
        """Holds a conversation, committed as ``number``, in a thread; what was answered is not asked again."""
        answered = {call.turn: call for call in calls if call.reply is not None or call.failure is not None}
        conversation = _Conversation(number, model, assignment, answered)
        self._lines[model].busy += 1
        self._under_way += 1
        # a daemon: a hanging server must not keep the process alive
        threading.Thread(target=self._hold, args=(conversation,), name=f"model-{number}", daemon=True).start()

    def collect(self) -> Iterator[FinishedConversation]:
        """Conversations that ended since the last time; also decides who rests. For the main thread.

        Raises:
            Exception: what went wrong in a conversation's thread, e.g. ``RunFolderError`` for a full disk.
        """
        while True:
            self._tell_news()
            try:
                held = self._ended.get_nowait()
            except queue.Empty:
                return
            if isinstance(held, Exception):
                raise held
            self._under_way -= 1
            line = self._lines[held.model]
            line.busy -= 1
            self._judge(held, line)
            yield held

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
        for line in self._lines.values():
            line.endpoint.close()

    # -- in the conversation's thread -----------------------------------------------------------------------------

    def _hold(self, conversation: _Conversation) -> None:
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
        except Exception as error:  # a full disk, or our bug: the main thread's business
            if not self._closing:
                self._ended.put(error)
            return
        held = FinishedConversation(
            conversation.number, conversation.model, conversation.assignment, ending, failure, conversation.charge
        )
        self._ended.put(held)

    def _ask(self, conversation: _Conversation, messages: tuple[Message, ...]) -> Completion:
        turn, conversation.turn = conversation.turn, conversation.turn + 1
        if turn in conversation.answered:
            return answer_of(conversation.answered[turn])
        line = self._lines[conversation.model]
        with line.slots:
            completion = self._send(conversation, turn, line, messages)
        with CoreLock().shared():
            pass  # reading the reply computes, so it does not begin beside a benchmark
        return completion

    def _send(
        self, conversation: _Conversation, turn: int, line: _EndpointState, messages: tuple[Message, ...]
    ) -> Completion:
        prompt_tokens = sum(estimate_tokens(message.content) for message in messages)
        if self._closing:
            raise CallFailed(FailureKind.CANCELLED, "the run is ending", attempts=0)
        observer = BudgetedCall(
            self._ledger,
            lambda: line.most_for(prompt_tokens),
            lambda kind, text: self._note(conversation.model, kind, text),
        )
        if not observer.admit():
            if turn == 0:  # so that such a prompt is not composed again before there may be room
                line.most_cost = line.most_for(prompt_tokens)
            raise CallFailed(FailureKind.CANCELLED, "the budget has no room for it", attempts=0)
        try:
            call = self._folder.add_call(conversation.number, turn, messages)  # before it is sent
            completion = line.endpoint.complete(messages, observer)
            line.learn(prompt_tokens, completion.usage, completion.attempts)
            self._folder.answer_call(call, completion)
        except CallFailed as error:
            line.learn(prompt_tokens, error.usage, error.attempts)
            if self._closing:
                error = CallFailed(FailureKind.CANCELLED, str(error), error.attempts, error.usage)
            self._folder.fail_call(call, error)
            raise error from None
        finally:
            observer.close()
            for each in self._lines.values():
                each.most_cost = each.most_for(self._config.prompt_tokens)
            conversation.charge += observer.spent
        return completion

    # -- whom to ask ----------------------------------------------------------------------------------------------

    def _judge(self, held: FinishedConversation, line: _EndpointState) -> None:
        kind, reason, ending = held.failure, held.ending.reason, held.ending
        if kind is FailureKind.CANCELLED:
            return
        if kind is None and not (ending.proposal or ending.plan or ending.text or ending.understood):
            kind = FailureKind.UNREADABLE
            said = next((m.content for m in reversed(ending.messages) if m.role == "assistant"), "")
            self._note(held.model, kind, f"{reason}; the reply begins: {clean_line(said, _QUOTED)}")
            self._tell_news()
        if kind is None:
            if line.health.succeeded():
                self._say(f"model {held.model} answers again")
        elif follows := line.health.failed(kind, reason, time.monotonic()):
            self._tell(f"model {held.model} {follows}")

    def _note(self, model: str, kind: FailureKind | None, text: str) -> None:
        """Keeps the first failure of each kind, and each thing that was noticed, to be told by the main thread."""
        with self._told_lock:
            known = (model, kind or text) in self._told
            self._told.add((model, kind or text))
        if not known:
            self._news.put(f"model {model}: " + (f"{kind}: {text} (told once; `show` counts them)" if kind else text))

    def _tell_news(self) -> None:
        while not self._news.empty():
            self._tell(self._news.get())

    def _tell(self, text: str) -> None:
        self._say(text)
        self._folder.add_event("model", text)


def answer_of(call: StoredCall) -> Completion:
    """The stored answer to a request.

    Raises:
        CallFailed: the answer was that there is none.
    """
    usage = TokenUsage(call.prompt_tokens, call.completion_tokens, call.cost, call.estimated_tokens)
    if call.failure is not None:
        kind, _, text = call.failure.partition(": ")
        raise CallFailed(FailureKind(kind), text, call.attempts, usage)
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
