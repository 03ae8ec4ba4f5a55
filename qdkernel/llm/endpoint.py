"""One OpenAI-compatible endpoint: Chat Completions with a retry loop of our own.

The client's own retries are switched off: it does not see broken JSON, web pages, other shapes, or a stream that ends
too early, and requests that it repeats by itself would be missing from the books.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from qdkernel.errors import ConfigError
from qdkernel.llm.chat import CallFailed, Completion, FailureKind, Message
from qdkernel.llm.failures import Failure, Unusable, failure_of, timed_out
from qdkernel.llm.request import Dialect, EndpointSpec, request_fields, without_refused
from qdkernel.llm.response import Answered, read_body
from qdkernel.llm.secret import Secret

__all__ = ["Endpoint", "EndpointSpec", "Wait"]

Wait = Callable[[float], bool]
"""Waits some seconds; true when the run stops meanwhile, e.g. ``threading.Event().wait``."""

# The official client's figures: 0.5 s doubling up to 8 s, up to a quarter less so that threads do not ask in step.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S, _JITTER = 0.5, 8.0, 0.25
_CONNECT_S = 10.0  # a server that is there accepts within a second, also across an ocean
_CHARACTERS_PER_TOKEN = 3.5  # of C and English alike with the vocabularies of today's models; an estimate


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
        ConfigError: the key's variable is unset or holds no key, or the URL cannot be used.
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
        self._closed = threading.Event()
        self._client = openai.OpenAI(
            base_url=spec.base_url,
            api_key=self._secret.reveal(),
            max_retries=0,
            timeout=openai.Timeout(spec.timeout_s, connect=min(_CONNECT_S, spec.timeout_s)),
        )

    def complete(self, messages: tuple[Message, ...]) -> Completion:
        """The model's reply; asks up to ``spec.attempts`` times where that may help.

        Raises:
            CallFailed: there is none; the text is one line and never holds the key.
        """
        requests = tries = 0
        while not self._closed.is_set():
            dialect = self._dialect
            answer = self._ask_once(messages, dialect)
            requests += 1
            if isinstance(answer, Answered):
                return self._completion(messages, answer, requests)
            if self._closed.is_set():
                break
            if self._relearn(dialect, answer):
                continue
            tries += 1
            if not answer.again or tries >= self.spec.attempts:
                origin = self._host if requests == 1 else f"{self._host} ({requests} requests)"
                raise CallFailed(answer.kind, answer.line(origin, self._secret), requests)
            if self._wait(self._pause_s(answer, tries)):
                break
        raise CallFailed(FailureKind.CANCELLED, "the run stopped meanwhile", requests)

    def probe(self) -> str:
        """Whether the endpoint answers and lists its model, in one line; sends no prompt, so it costs nothing."""
        try:
            listed = [model.id for model in self._client.models.list()]
        except Exception as error:  # as below: whatever client, network or server come up with
            return failure_of(error, self.spec.api_key_env).line(self._host, self._secret)
        if self.spec.model in listed:
            return "answers, and has the model"
        return f"answers, but does not list the model among its {len(listed)}"

    def close(self) -> None:
        """No more requests: connections are closed, and a call under way that fails now or later is cancelled.

        A call that waits for a silent server may take until the time limit to notice.
        """
        self._closed.set()
        self._client.close()

    # -- one attempt ----------------------------------------------------------------------------------------------

    def _ask_once(self, messages: tuple[Message, ...], dialect: Dialect) -> Answered | Failure:
        """The answer to one request, or what went wrong: a value, so that no exception drags the request along.

        The time limit covers the whole answer, except for the body of an error, which the client reads: there it
        starts anew with every piece.
        """
        deadline = time.monotonic() + self.spec.timeout_s
        try:
            with self._client.chat.completions.with_streaming_response.create(
                model=self.spec.model,
                messages=[_as_json(message) for message in messages],
                extra_body=request_fields(self.spec, dialect),
            ) as response:
                chunks = _until(deadline, response.iter_bytes())
                return read_body(chunks, response.headers.get("content-type", ""), self.spec.api_key_env)
        except Exception as error:  # anything at all from client, network or server; none of them is our caller's
            return failure_of(error, self.spec.api_key_env)

    def _relearn(self, dialect: Dialect, failure: Failure) -> bool:
        """Drops a field that the server refused, for this and later requests; false when that was not it."""
        sent = request_fields(self.spec, dialect)
        with self._dialect_lock:
            adapted = without_refused(self._dialect, sent, failure)
            if adapted is None or adapted == dialect:
                return False
            self._dialect = adapted
        return True

    def _pause_s(self, failure: Failure, tries: int) -> float:
        pause_s = min(_FIRST_PAUSE_S * 2 ** (tries - 1), _LONGEST_PAUSE_S)
        return failure.wait_s or pause_s * (1 - _JITTER * self._jitter.random())

    # -- what comes of it -----------------------------------------------------------------------------------------

    def _completion(self, messages: tuple[Message, ...], answer: Answered, requests: int) -> Completion:
        spec = self.spec
        prompt = answer.prompt_tokens or _estimate(sum(len(message.content) for message in messages))
        completion = answer.completion_tokens or _estimate(answer.length)
        cost = (prompt * spec.input_price + completion * spec.output_price) / 1e6
        return Completion(answer.text, answer.finish_reason, prompt, completion, requests, cost)


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


def _until(deadline: float, chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks until the deadline: the client's own time limit starts anew with each of them."""
    for chunk in chunks:
        if time.monotonic() > deadline:
            raise Unusable(timed_out())
        yield chunk


def _as_json(message: Message) -> Any:  # Any: one of the client's typed dictionaries, which differ by role
    # Half a surrogate pair, which source files of odd encodings leave behind, cannot be sent.
    return {"role": message.role, "content": message.content.encode("utf-8", "replace").decode()}


def _estimate(characters: int) -> int:
    return max(1, round(characters / _CHARACTERS_PER_TOKEN))
