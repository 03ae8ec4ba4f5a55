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
from qdkernel.llm import CallFailed, Completion, Endpoint, FailureKind, Message
from qdkernel.machine import CoreLock
from qdkernel.mutators.llm import Assignment, Ending, converse
from qdkernel.mutators.llm.prompts import estimate_tokens
from qdkernel.runs import RunFolder, StoredCall
from qdkernel.search.llm_budget import TokenBudget, Usage

_LONGEST_REST_S = 600.0  # by thought: a provider's bad quarter of an hour should not cost the whole run
_HOPELESS = (FailureKind.KEY, FailureKind.REJECTED)  # waiting does not mend these


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
class _EndpointState:
    """A model's state: what its next request may cost at the most, slots, failures in a row, rest.

    One conversation in four more than it has slots stands by, so that a slot is filled the moment it falls free, even
    while the main thread waits for an evaluation.
    """

    endpoint: Endpoint
    most_cost: Usage
    slots: threading.Semaphore
    busy: int = 0
    failures: int = 0
    rests: int = 0
    awake_at: float = 0.0
    hopeless: str = ""

    @property
    def most(self) -> int:
        """Conversations at once; after a rest one request tries whether the endpoint is back."""
        parallel = self.endpoint.spec.parallel
        return 1 if self.rests else parallel + parallel // 4


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
                endpoint, _most(endpoint, config.prompt_tokens), threading.Semaphore(endpoint.spec.parallel)
            )
            for name, endpoint in endpoints.items()
        }
        self._ledger = ledger
        self._function = function
        self._config = config
        self._say = say
        self._ended: queue.SimpleQueue[FinishedConversation | Exception] = queue.SimpleQueue()
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
        return any(not line.hopeless for line in self._lines.values())

    @property
    def asleep(self) -> bool:
        """Whether any model is at rest, and may answer later."""
        now = time.monotonic()
        return any(line.awake_at > now and not line.hopeless for line in self._lines.values())

    def describe(self) -> str:
        """Requests, tokens and money so far, and who rests."""
        spent, now = self._ledger.spent, time.monotonic()
        text = f"{spent.requests} requests, {self._under_way} under way, {spent.tokens / 1000:.0f}k tokens"
        if spent.usd:
            text += f", ${spent.usd:.2f}"
        resting = [name for name, line in self._lines.items() if line.hopeless or line.awake_at > now]
        return text + (f", without {' and '.join(resting)}" if resting else "")

    def free(self) -> list[str]:
        """Models that can be asked now."""
        now = time.monotonic()
        return [
            name
            for name, line in self._lines.items()
            if not line.hopeless
            and line.awake_at <= now
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
            conversation.number,
            conversation.model,
            conversation.assignment,
            ending,
            failure,
            self._ledger.share(conversation.charge),
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
        most = _most(line.endpoint, sum(estimate_tokens(message.content) for message in messages))
        if self._closing:
            raise CallFailed(FailureKind.CANCELLED, "the run is ending", attempts=0)
        if self._ledger.reserve(most) is not None:
            if turn == 0:
                line.most_cost = most  # so that such a prompt is not composed again before there may be room
            raise CallFailed(FailureKind.CANCELLED, "the budget has no room for it", attempts=0)
        actual = Usage()
        try:
            call = self._folder.add_call(conversation.number, turn, messages)  # before it is sent
            completion = line.endpoint.complete(messages)
            actual = Usage(1, completion.prompt_tokens + completion.completion_tokens, completion.cost)
            self._folder.answer_call(call, completion)
        except CallFailed as error:
            if error.kind is not FailureKind.CANCELLED and not self._closing:
                actual = Usage(1)
                self._folder.fail_call(call, error)
                raise
            raise CallFailed(FailureKind.CANCELLED, str(error), error.attempts) from None
        finally:
            self._ledger.settle(most, actual)
            for each in self._lines.values():
                each.most_cost = _most(each.endpoint, self._config.prompt_tokens)
            conversation.charge += actual
        return completion

    # -- whom to ask ----------------------------------------------------------------------------------------------

    def _judge(self, held: FinishedConversation, line: _EndpointState) -> None:
        if held.failure is FailureKind.CANCELLED:
            return
        if held.failure is None or held.failure in (
            FailureKind.CONTENT_FILTERED,
            FailureKind.TOO_LONG,
            FailureKind.EMPTY,
        ):
            if line.rests:
                self._say(f"model {held.model} answers again")
            line.failures = line.rests = 0
            return
        line.failures += 1
        if held.failure in _HOPELESS and line.failures >= self._config.rest_after and not line.hopeless:
            line.hopeless = held.ending.reason
            self._tell(f"model {held.model} is given up: {held.ending.reason}")
        elif line.failures >= self._config.rest_after and line.awake_at <= time.monotonic():
            rest_s = min(self._config.rest_s * 2**line.rests, _LONGEST_REST_S)
            line.rests += 1
            line.awake_at = time.monotonic() + rest_s
            self._tell(
                f"model {held.model} rests for {rest_s:.0f} s after {line.failures} failures in a row "
                f"({held.ending.reason}); the run goes on without it"
            )

    def _tell(self, text: str) -> None:
        self._say(text)
        self._folder.add_event("model", text)


def _most(endpoint: Endpoint, prompt_tokens: int) -> Usage:
    """The most that a request with a prompt of so many tokens can cost."""
    spec = endpoint.spec
    usd = (prompt_tokens * spec.input_price + spec.max_tokens * spec.output_price) / 1e6
    return Usage(1, prompt_tokens + spec.max_tokens, usd)


def answer_of(call: StoredCall) -> Completion:
    """The stored answer to a request.

    Raises:
        CallFailed: the answer was that there is none.
    """
    if call.failure is not None:
        kind, _, text = call.failure.partition(": ")
        raise CallFailed(FailureKind(kind), text, call.attempts)
    if call.reply is None:
        raise QdkernelError(f"call {call.id} was never answered")
    return Completion(
        call.reply, call.finish_reason, call.prompt_tokens, call.completion_tokens, call.attempts, call.cost
    )
