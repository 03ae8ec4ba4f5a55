"""Everything that can go wrong with a request, as a kind, a line of text, and whether asking again may help."""

from __future__ import annotations

import email.utils
import json
import math
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from qdkernel.llm.chat import FailureKind
from qdkernel.llm.secret import Secret
from qdkernel.llm.usage import NOTHING_COUNTED, Counts, Work, counts_of

LONGEST_WAIT_S = 120.0
"""Longest wait that a server may ask for; heuristic: a run does better with its other operators."""

LONGEST_LINE = 300
"""Characters of a failure's text."""

_SAID = 140  # characters of the server's own words; leaves room for where they come from and what to do

_QUOTA_CODES = frozenset({"insufficient_quota", "billing_hard_limit_reached", "quota_exceeded"})
_FILTER_CODES = frozenset({"content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"})
_AGAIN = frozenset({408, 409, 429})  # and every 5xx
_GAVE_UP_WAITING = frozenset({408, 504, 524})  # a gateway's time limit; the model behind it may have gone on
_OTHER_PATH = re.compile(r"(?:unexpected|unknown|invalid|no such) (?:endpoint|route|path|url)|page not found", re.I)
_CONTEXT = re.compile(
    r"context (?:length|size|window)|context_length|maximum context|context is|n_ctx|input is too long|"
    r"prompt is too long|too many (?:input )?tokens",
    re.I,
)

RAISE_CONTEXT = "raise its context: num_ctx (Ollama), -c (llama.cpp), --max-model-len (vLLM)"
"""What to do when a prompt or a reply does not fit; names the setting of each common server."""


@dataclass(frozen=True)
class Failure:
    """Why one attempt brought no usable reply.

    Attributes:
        kind: as the caller sees it.
        what: what happened, in our words.
        said: what the server or the network said about it, raw: may hold anything, keys included.
        advice: how to put it right; empty when only waiting helps.
        again: whether asking again may help.
        wait_s: seconds that the server asks to wait; ``None`` when it names no time.
        status: of the HTTP response; 0 when there was none.
        code: the error's machine-readable code.
        param: the request's field that the server complains about.
        work: what the server may have done for it.
        counts: tokens that the server reported all the same.
        received: characters of a reply that arrived.
    """

    kind: FailureKind
    what: str
    said: str = ""
    advice: str = ""
    again: bool = True
    wait_s: float | None = None
    status: int = 0
    code: str = ""
    param: str = ""
    work: Work = Work.NONE
    counts: Counts = NOTHING_COUNTED
    received: int = 0

    def line(self, origin: str, secret: Secret) -> str:
        """The failure for people, models and logs: one line of at most ``LONGEST_LINE`` characters, without the key.

        Args:
            origin: the server, e.g. ``localhost:8000``.
            secret: the key to leave out.
        """
        said = secret.scrub(self.said, _SAID)
        text = f"{origin}: {self.what}" + (f": {said}" if said else "") + (f"; {self.advice}" if self.advice else "")
        return secret.scrub(text, LONGEST_LINE)


class Unusable(Exception):
    """An answer that cannot be used; carries the ``Failure``. Never leaves the endpoint."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.what)
        self.failure = failure


def failure_of(error: BaseException, key_name: str | None) -> Failure:
    """What an exception of the client means.

    Args:
        error: from sending a request or reading its answer.
        key_name: the environment variable that holds the key, for the advice.
    """
    import openai

    if isinstance(error, Unusable):
        return error.failure
    if isinstance(error, openai.APIConnectionError) and isinstance(error.__cause__, Unusable):
        return error.__cause__.failure  # openai 2 wraps what a hook of the HTTP client raises
    if isinstance(error, openai.APIStatusError):
        return status_failure(error.status_code, error.body, error.response.headers, key_name)
    timeouts, transports = _transport_errors()
    cause = (error.__cause__ or error) if isinstance(error, openai.APIConnectionError) else error
    if isinstance(error, (openai.APITimeoutError, *timeouts)):
        return timed_out(Work.NONE if _never_connected(cause) else Work.MOST)
    if isinstance(error, (openai.APIConnectionError, *transports)):
        if _never_connected(cause):
            advice = "is the server running, and is base_url right?"
            return Failure(FailureKind.CONNECTION, "the connection failed", str(cause), advice)
        return Failure(FailureKind.CONNECTION, "the connection failed", str(cause), work=Work.PROMPT)
    # What the client raises of its own accord, e.g. for bytes it cannot unpack.
    what = f"the client failed with {type(error).__name__}"
    return Failure(FailureKind.CONNECTION, what, str(error), work=Work.PROMPT)


def timed_out(work: Work = Work.MOST) -> Failure:
    """No complete answer within the endpoint's time limit."""
    advice = "raise timeout_s if the model is slow"
    return Failure(FailureKind.TIMEOUT, "no complete answer in time", advice=advice, work=work)


def read_error(status: int, body: bytes, headers: Mapping[str, str], key_name: str | None) -> Failure:
    """What a response means whose status is not success.

    Args:
        status: of the response.
        body: at least its beginning.
        headers: by lower-case name.
        key_name: the environment variable that holds the key.
    """
    text = body.decode("utf-8", "replace").strip()
    try:
        data: object = json.loads(text)
    except (ValueError, RecursionError):
        data = text
    error = data.get("error", data) if isinstance(data, Mapping) else data
    failure = status_failure(status, error, headers, key_name)
    return replace(failure, counts=counts_of(data))


def status_failure(status: int, body: object, headers: Mapping[str, str], key_name: str | None) -> Failure:
    """What an HTTP status that is not success means.

    Args:
        status: from 300.
        body: the error object, or what came in its place: any JSON, or text.
        headers: by lower-case name; ``Retry-After``, ``retry-after-ms`` and ``x-should-retry`` are read.
        key_name: the environment variable that holds the key.
    """
    error = body if isinstance(body, Mapping) else {}
    kind, advice = _meaning(status, error, key_name)
    again = (status in _AGAIN or status >= 500) and headers.get("x-should-retry") != "false" and kind in _MAY_PASS
    if status == 429 and _is_quota(error):
        again, advice = False, "the quota is used up: waiting does not help, the provider's account page may"
    wait_s = retry_after_s(headers) if again else None
    if wait_s is not None and wait_s > LONGEST_WAIT_S:
        again = False
        advice = f"it asks to wait {wait_s:.0f} s, and more than {LONGEST_WAIT_S:.0f} s is not waited"
    said = server_message(body)
    if kind in (FailureKind.REJECTED, FailureKind.SERVER) and status != 404 and _CONTEXT.search(said):
        advice = RAISE_CONTEXT
    return Failure(
        kind=kind,
        what=f"HTTP {status}",
        said=said,
        advice=advice,
        again=again,
        wait_s=wait_s,
        status=status,
        code=_text_of(error.get("code")),
        param=_text_of(error.get("param")),
        work=_work(status, kind),
    )


def _work(status: int, kind: FailureKind) -> Work:
    """What the server probably billed, by status: refused requests never, filtered prompts sometimes."""
    if status in _GAVE_UP_WAITING:
        return Work.MOST
    return Work.PROMPT if status >= 500 or kind is FailureKind.CONTENT_FILTERED else Work.NONE


_MAY_PASS = frozenset({FailureKind.RATE_LIMIT, FailureKind.SERVER})


def _meaning(status: int, error: Mapping[str, Any], key_name: str | None) -> tuple[FailureKind, str]:  # Any: JSON
    if status == 429:
        return FailureKind.RATE_LIMIT, ""
    if status == 402:
        return FailureKind.RATE_LIMIT, "the quota is used up: the provider wants to be paid first"
    if status in (401, 403):
        return FailureKind.KEY, f"check the key in {key_name}" if key_name else "set api_key_env: it wants a key"
    if status in _AGAIN or status >= 500:
        return FailureKind.SERVER, ""
    if status == 400 and {_text_of(error.get("code")), _text_of(error.get("type"))} & _FILTER_CODES:
        return FailureKind.CONTENT_FILTERED, ""
    if status == 404:
        return FailureKind.REJECTED, "check base_url, usually up to /v1, and model"
    if status < 400:
        return FailureKind.REJECTED, "a redirect, which is not followed; check base_url"
    return FailureKind.REJECTED, ""


def error_failure(error: object, key_name: str | None) -> Failure:
    """What an error object means that came with status 200, as a body or in a stream, as some gateways send it."""
    fields = error if isinstance(error, Mapping) else {}
    status = next((found for name in ("code", "status", "status_code") if (found := _status(fields.get(name)))), 0)
    failure = status_failure(status or _status_of_words(fields), error, {}, key_name)
    if not status and _OTHER_PATH.search(failure.said):
        kind, advice = FailureKind.REJECTED, "check base_url, usually up to /v1"
        failure = replace(failure, kind=kind, advice=advice, again=False, work=Work.NONE)
    return failure if status else replace(failure, what="an error in place of a reply")


def _status(value: object) -> int:
    """An HTTP status that a field holds as a number or a text; 0 for anything else."""
    if isinstance(value, str) and value.isdecimal() and len(value) == 3:
        value = int(value)
    return value if type(value) is int and 400 <= value <= 599 else 0


def _status_of_words(error: Mapping[str, Any]) -> int:  # Any: JSON
    """The status that fits an error's type or code where it has none."""
    words = f"{_text_of(error.get('type'))} {_text_of(error.get('code'))}".lower()
    known = {"rate_limit": 429, "authentication": 401, "permission": 403, "invalid_request": 400, "context": 400}
    known |= {"content_filter": 400, "insufficient_quota": 429, "not_found": 404}
    return next((status for word, status in known.items() if word in words), 500)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that the headers ask to wait, at least 0; ``None`` when they name no time, or none that can be read.

    RFC 9110, section 10.2.3: seconds or a date. Fractions and ``retry-after-ms`` are OpenAI's additions.
    """
    for name, unit_s in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            wait_s = float(headers.get(name, "")) * unit_s
        except ValueError:
            continue
        if math.isfinite(wait_s) and wait_s >= 0:
            return wait_s
    try:
        date = email.utils.parsedate_to_datetime(headers.get("retry-after", ""))
        return max(0.0, date.timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def server_message(body: object) -> str:
    """The message in an error body, unchanged: OpenAI's, FastAPI's and Ollama's shapes, any JSON, text, or HTML."""
    if isinstance(body, Mapping):
        for key in ("message", "error", "detail", "msg"):
            if words := body.get(key):
                return server_message(words)
        return json.dumps(dict(body)) if body else ""
    if isinstance(body, str):
        return "a web page" if looks_like_html(body) else body
    return "" if body is None else json.dumps(body, default=str)


def looks_like_html(text: str) -> bool:
    """Whether a text is a web page, as gateways and login pages are."""
    return text.lstrip()[:15].lower().startswith(("<!doctype", "<html", "<head", "<?xml"))


def _is_quota(error: Mapping[str, Any]) -> bool:  # Any: JSON
    return bool({_text_of(error.get("code")), _text_of(error.get("type"))} & _QUOTA_CODES)


def _text_of(value: object) -> str:
    return value if isinstance(value, str) else ""


def _never_connected(cause: BaseException) -> bool:
    return type(cause).__name__ in ("ConnectError", "ConnectTimeout", "UnsupportedProtocol", "ProxyError")


def _transport_errors() -> tuple[tuple[type[Exception], ...], tuple[type[Exception], ...]]:
    """Time-outs and all transport errors of the client's HTTP library: httpx under openai 2, httpx2 under openai 3.

    While an answer is read they arrive as they are; the client wraps only those met before.
    """
    timeouts: list[type[Exception]] = []
    transports: list[type[Exception]] = []
    for name in ("httpx", "httpx2"):
        library = sys.modules.get(name)  # one that is not loaded has raised nothing
        if library is not None:
            timeouts.append(library.TimeoutException)
            transports.append(library.RequestError)
    return tuple(timeouts), tuple(transports)
