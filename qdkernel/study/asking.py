"""Asks the models of a study for every reply that it has not yet."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from qdkernel.config import ModelConfig, StudyConfig
from qdkernel.llm import CallFailed, Endpoint, FailureKind
from qdkernel.mutators.llm.prompts import estimate_tokens
from qdkernel.problems import find_problem
from qdkernel.search import BackOff, BudgetedCall, EndpointStatus, TokenBudget, endpoint_spec
from qdkernel.study.prompts import prompt
from qdkernel.study.store import Question, Store

_MOST_FAILURES = 3  # calls in a row, each of several attempts, after which a model is left alone
_REST_S = 60.0  # a back-off of any length ends the asking


def questions(config: StudyConfig, model: str) -> list[Question]:
    """What a model is asked, all problems and ways once before any is asked again."""
    return [
        Question(problem, way, model, sample)
        for sample in range(config.samples)
        for problem in config.problems
        for way in config.ways
    ]


def ask(config: StudyConfig, models: Sequence[ModelConfig], store: Store, say: Callable[[str], None]) -> None:
    """Asks until every reply is there, a budget is spent, or a model keeps failing.

    Args:
        config: of the study.
        models: its models, found in the environment where the configuration does not list them.
        store: gets every reply at once.
        say: gets a line for each problem that a user should know of.

    Raises:
        ConfigError: a key, a URL, a proxy or certificates cannot be used.
    """
    budget = TokenBudget(config.llm_budget(), store.spent)
    for model in models:
        waiting = [question for question in questions(config, model.name) if question not in store.replies]
        if not waiting:
            continue
        say(f"asking {model.name} for {len(waiting)} replies")
        with closing(Endpoint(endpoint_spec(model))) as endpoint:
            asking = _Asking(endpoint, budget, store)
            with ThreadPoolExecutor(model.parallel) as pool:
                try:
                    for _ in pool.map(asking, waiting):
                        pass
                except BaseException:
                    asking.stopped = "interrupted"
                    endpoint.close()
                    raise
        if asking.stopped:
            say(f"{model.name}: {asking.stopped}; the same command goes on from here")


class _Asking:
    """Asks one question; called by several threads, which stop together."""

    def __init__(self, endpoint: Endpoint, budget: TokenBudget, store: Store) -> None:
        self.stopped = ""
        slots = threading.Semaphore(endpoint.spec.parallel)
        self._status = EndpointStatus(endpoint, slots, BackOff(_MOST_FAILURES, _REST_S))
        self._budget = budget
        self._store = store
        self._lock = threading.Lock()

    def __call__(self, question: Question) -> None:
        if self.stopped:
            return
        messages = prompt(find_problem(question.problem), question.way)  # type: ignore[arg-type]  # a Way
        tokens = sum(estimate_tokens(message.content) for message in messages)
        call = BudgetedCall(self._budget, lambda: self._status.cost_at_most(tokens), lambda kind, text: None)
        try:
            completion = self._status.endpoint.complete(messages, call)
        except CallFailed as failure:
            self._status.learn(tokens, failure.usage, failure.attempts)
            if failure.attempts:
                self._store.add_failure(question, failure)
            self._failed(failure)
        else:
            self._status.learn(tokens, completion.usage, completion.attempts)
            self._store.add_reply(question, messages, completion)
            with self._lock:
                self._status.back_off.succeeded()
        finally:
            call.close()

    def _failed(self, failure: CallFailed) -> None:
        with self._lock:
            if failure.kind is FailureKind.CANCELLED:
                self.stopped = self.stopped or str(failure)
                return
            now = time.monotonic()
            self._status.back_off.failed(failure.kind, str(failure), now)
            if not self._status.back_off.permits(now):
                self.stopped = self.stopped or f"{failure.kind}: {failure}"
