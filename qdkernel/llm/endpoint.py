"""One OpenAI-compatible endpoint: Chat Completions with a retry loop of our own.

The client's own retries are switched off: it does not see broken JSON, web pages, other shapes, or a stream that ends
too early, and requests that it repeats by itself would be missing from the books.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from qdkernel.errors import ConfigError
from qdkernel.llm.chat import CallFailed, CallObserver, Completion, FailureKind, Message, TokenUsage
from qdkernel.llm.context import ContextCheck
from qdkernel.llm.failures import Failure, failure_of, timed_out
from qdkernel.llm.network import is_loopback, open_client, unpacked
from qdkernel.llm.request import Dialect, EndpointSpec, adapted, request_fields, request_messages
from qdkernel.llm.response import Answered, Expected, read_body
from qdkernel.llm.secret import Secret
from qdkernel.llm.usage import Work, usage_of
from qdkernel.llm.watch import Watches

__all__ = ["Endpoint", "EndpointSpec", "Wait"]

Wait = Callable[[float], bool]
"""Waits some seconds; true when the run stops meanwhile, e.g. ``threading.Event().wait``."""

# The official client's figures: 0.5 s doubling up to 8 s, up to a quarter less so that threads do not ask in step.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _JITTER = 0.5, 8.0, 0.25


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False


class Endpoint:
    """A client for one model; may be used by several threads at once.

    Args:
        spec: where and how to ask.
        environ: holds the key.
        wait: called between attempts.

    Raises:
        ConfigError: the key's variable is unset or holds no key, the URL cannot be used, the key would go over plain
            http to another machine, or the environment names a proxy or certificates that cannot be used.
    """

    def __init__(self, spec: EndpointSpec, environ: Mapping[str, str] = os.environ, wait: Wait = _sleep) -> None:
        import openai

        self.spec = spec
        self._host = _checked_host(spec)
        self._secret = _secret(spec, environ)
        self._wait = wait
        self._jitter = random.Random()  # not the run's generator: when a request is repeated decides nothing
        self._dialect = Dialect()
        self._dialect_lock = threading.Lock()
        self._context = ContextCheck()
        self._closed = threading.Event()
        self._watches = Watches()
        self._client = openai.OpenAI(
            base_url=spec.base_url,
            api_key=self._secret.reveal(),
            max_retries=0,
            default_headers={"Accept-Encoding": "identity"},  # nothing to unpack, so nothing that unpacks to gigabytes
            http_client=open_client(spec.base_url, spec.timeout_s, self._watches, spec.api_key_env),
        )

    @property
    def max_tokens(self) -> int:
        """The longest reply that is asked for: the configured one, or less where the server permits less."""
        return self._dialect.max_tokens or self.spec.max_tokens

    def complete(self, messages: tuple[Message, ...], observer: CallObserver | None = None) -> Completion:
        """The model's reply; asks up to ``spec.attempts`` times where that may help.

        Args:
            messages: the conversation.
            observer: called before and after every request.

        Raises:
            CallFailed: there is none; the text is one line and never holds the key.
        """
        observer = observer or CallObserver()
        failure: Failure | None = None
        usage, requests, tries = TokenUsage(), 0, 0
        while not self._closed.is_set():
            if not observer.admit():
                if failure is None:
                    raise CallFailed(FailureKind.CANCELLED, "the budget has no room for it", 0)
                raise self._failed(failure, requests, usage)
            dialect = self._dialect
            answer = self._ask_once(messages, dialect)
            spent = self._spent(messages, dialect, answer)
            requests, usage = requests + 1, usage + spent
            observer.ended(spent)
            if isinstance(answer, Answered):
                self._look_for_cuts(messages, answer, observer)
                return _completion(answer, requests, usage)
            if self._closed.is_set():
                break
            failure = answer
            if self._relearn(messages, dialect, failure, observer):
                continue
            tries += 1
            observer.failed(failure.kind, failure.line(self._host, self._secret))
            if not failure.again or tries >= self.spec.attempts:
                raise self._failed(failure, requests, usage)
            if self._wait(self._pause_s(failure, tries)):
                break
        raise CallFailed(FailureKind.CANCELLED, "the run stopped meanwhile", requests, usage)

    def listed(self) -> str:
        """Whether the server lists the model, in one line; sends no prompt, so it costs nothing."""
        try:
            with self._watches.over(self.spec.timeout_s):
                names = [model.id for model in self._client.models.list()]
        except Exception as error:  # as below: whatever client, network or server come up with
            return failure_of(error, self.spec.api_key_env).line(self._host, self._secret)
        if self.spec.model in names:
            return "the server has the model"
        return f"the server does not list the model among its {len(names)}"

    def close(self) -> None:
        """No more requests: connections are shut down, and calls under way are cancelled."""
        self._closed.set()
        self._watches.close()
        self._client.close()

    # -- one attempt ----------------------------------------------------------------------------------------------

    def _ask_once(self, messages: tuple[Message, ...], dialect: Dialect) -> Answered | Failure:
        """The answer to one request, or what went wrong: a value, so that no exception drags the request along.

        The time limit covers everything from connecting to the last byte.
        """
        fields = request_fields(self.spec, dialect)
        expected = Expected(dialect.max_tokens or self.spec.max_tokens, self.spec.api_key_env)
        sent: Any = request_messages(messages, dialect)  # Any: the client's typed dictionaries, which differ by role
        with self._watches.over(self.spec.timeout_s) as watch:
            try:
                with self._client.chat.completions.with_streaming_response.create(
                    model=self.spec.model, messages=sent, extra_body=fields
                ) as response:
                    chunks = unpacked(response.http_response.iter_raw(), response.headers.get("content-encoding", ""))
                    return read_body(chunks, response.headers.get("content-type", ""), response.status_code, expected)
            except Exception as error:  # anything at all from client, network or server; none of them is our caller's
                failure = failure_of(error, self.spec.api_key_env)
        if watch.expired:  # whatever a connection that is shut down looks like
            return replace(timed_out(), counts=failure.counts, received=failure.received)
        if self._closed.is_set() and failure.work is not Work.NONE:
            return replace(failure, work=Work.MOST)  # it may generate the rest of the reply unread
        return failure

    def _relearn(
        self, messages: tuple[Message, ...], dialect: Dialect, failure: Failure, observer: CallObserver
    ) -> bool:
        """Avoids what the server refused, in this and later requests; false when nothing can be avoided."""
        fields, sent = request_fields(self.spec, dialect), request_messages(messages, dialect)
        with self._dialect_lock:
            found = adapted(self._dialect, fields, sent, failure)
            if found is None or found[0] == dialect:
                return False
            notice = found[1] if found[0] != self._dialect else ""
            self._dialect = found[0]
        if notice:
            observer.noticed(f"{notice} ({failure.line(self._host, self._secret)})")
        return True

    def _pause_s(self, failure: Failure, tries: int) -> float:
        pause_s = min(_FIRST_PAUSE_S * 2 ** (tries - 1), _LONGEST_PAUSE_S)
        return failure.wait_s or pause_s * (1 - _JITTER * self._jitter.random())

    # -- what comes of it -----------------------------------------------------------------------------------------

    def _spent(self, messages: tuple[Message, ...], dialect: Dialect, answer: Answered | Failure) -> TokenUsage:
        """What one request cost."""
        work, received = (
            (Work.RECEIVED, answer.length) if isinstance(answer, Answered) else (answer.work, answer.received)
        )
        most = dialect.max_tokens or self.spec.max_tokens
        usage = usage_of(answer.counts, work, _characters(messages), received, most)
        spec = self.spec
        cost = (usage.prompt_tokens * spec.input_price + usage.completion_tokens * spec.output_price) / 1e6
        return replace(usage, cost=cost)

    def _look_for_cuts(self, messages: tuple[Message, ...], answer: Answered, observer: CallObserver) -> None:
        for text in (
            self._context.notice(_characters(messages), answer.counts),
            self._context.notice_reply(answer, self.max_tokens),
        ):
            if text:
                observer.noticed(text)

    def _failed(self, failure: Failure, requests: int, usage: TokenUsage) -> CallFailed:
        origin = self._host if requests == 1 else f"{self._host} ({requests} requests)"
        return CallFailed(failure.kind, failure.line(origin, self._secret), requests, usage)


def _completion(answer: Answered, requests: int, usage: TokenUsage) -> Completion:
    return Completion(
        text=answer.text,
        finish_reason=answer.finish_reason,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        attempts=requests,
        cost=usage.cost,
        estimated_tokens=usage.estimated_tokens,
    )


def _characters(messages: tuple[Message, ...]) -> int:
    return sum(len(message.content) for message in messages)


def _checked_host(spec: EndpointSpec) -> str:
    """Host and port of the URL, once it is sure that it holds no secret; an error does not quote it."""
    expected = f"models: {spec.name}: base_url: expected a URL such as http://localhost:8000/v1"
    try:
        parts = urlsplit(spec.base_url)
        port = parts.port
    except ValueError:
        raise ConfigError(f"{expected}, got one that cannot be read; check brackets and port") from None
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigError(
            f"{expected}, got one with user, password, query or fragment; put the key into an environment variable "
            "and its name into api_key_env"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{expected}, got {spec.base_url!r}")
    if spec.api_key_env and parts.scheme == "http" and not (spec.key_over_http or is_loopback(parts.hostname)):
        raise ConfigError(
            f"models: {spec.name}: base_url: expected https, as the key would cross the network to {parts.hostname} "
            "unencrypted; use https, or set key_over_http: true where you trust every machine on the way"
        )
    return f"{parts.hostname}:{port}" if port else parts.hostname


def _secret(spec: EndpointSpec, environ: Mapping[str, str]) -> Secret:
    if spec.api_key_env is None:
        return Secret(None)
    secret = Secret(environ.get(spec.api_key_env, "").strip() or None)  # a newline at the end is a common slip
    name = f"models: {spec.name}: api_key_env"
    if secret.is_empty:
        raise ConfigError(f"{name}: expected a key in the environment variable {spec.api_key_env}, which is not set")
    if not secret.can_be_sent:
        raise ConfigError(
            f"{name}: expected visible ASCII characters in the environment variable {spec.api_key_env}, got others; "
            "copy the key again"
        )
    return secret
