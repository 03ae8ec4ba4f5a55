"""A judge behind HTTP: the client of ``qdkernel serve``. Needs neither compiler nor cores."""

from __future__ import annotations

import http.client
import json
import os
import random
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from qdkernel.errors import ConfigError, QdkernelError
from qdkernel.rewards.judge import JudgeUnreachable
from qdkernel.rewards.verdict import Submission, Verdict

TOKEN_VARIABLE = "QDKERNEL_SERVE_TOKEN"
_POLL_S = 25.0  # a request is answered within this, so that no proxy in between gives up
_ANSWER_S = 60.0  # a service that is silent for longer is tried again
_PAUSE_S = (0.5, 15.0)  # between tries, doubled each time

Json = Mapping[str, Any]  # Any: JSON values


class RemoteJudge:
    """Judges through a service.

    A batch becomes a job of the service, whose result is then waited for. Requests are idempotent by content, so
    whatever fails in between (connection refused, 429, 502, 503, 504, a restart) is tried again until ``patience_s``
    is over. The token goes into a header, never into the address.

    Args:
        url: e.g. ``http://judge-node:8077``.
        token: the bearer token; default: ``$QDKERNEL_SERVE_TOKEN``, if set.
        patience_s: seconds for one batch, queue included.

    Raises:
        ConfigError: not an http or https address.
    """

    def __init__(self, url: str, token: str | None = None, patience_s: float = 1800.0) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"expected the address of a judge such as http://127.0.0.1:8077, got {url!r}")
        self.url = url.rstrip("/")
        self._token = token if token is not None else os.environ.get(TOKEN_VARIABLE, "")
        self._patience_s = patience_s

    def judge(self, submissions: Sequence[Submission], duel: bool = False) -> list[Verdict]:
        """See ``Judge``."""
        deadline = time.monotonic() + self._patience_s
        body = {"submissions": [asdict(submission) for submission in submissions], "duel": duel}
        while True:
            job = self._ask("POST", "/v1/jobs", body, deadline)
            while job is not None and job["state"] != "done":
                job = self._ask("GET", f"/v1/jobs/{job['id']}?wait_s={_POLL_S:.0f}", None, deadline)
            if job is not None:
                return [Verdict.from_json(verdict) for verdict in job["verdicts"]]
            # the service no longer has the job, e.g. as its journal was replaced: hand it in again

    def close(self) -> None:
        """Nothing is held between requests."""

    def _ask(self, method: str, path: str, body: Json | None, deadline: float) -> Json | None:
        """The answer; ``None`` for a job that is unknown."""
        pause = _PAUSE_S[0]
        while True:
            try:
                return self._once(method, path, body)
            except urllib.error.HTTPError as error:
                if error.code == 404 and method == "GET":
                    return None
                if error.code not in (408, 429, 500, 502, 503, 504):
                    raise _refusal(self.url + path, error) from error
                reason, wait = f"HTTP {error.code}", _retry_after(error) or pause
            except (
                OSError,
                ValueError,
                http.client.HTTPException,
            ) as error:  # refused, reset, timed out, or half an answer
                reason, wait = str(error), pause
            if time.monotonic() + wait > deadline:
                raise JudgeUnreachable(
                    f"{self.url}: no verdict within {self._patience_s:.0f} s ({reason}); check that "
                    "`qdkernel serve` runs there"
                )
            time.sleep(wait * random.uniform(0.8, 1.2))  # clients that were refused together do not return together
            pause = min(2 * pause, _PAUSE_S[1])

    def _once(self, method: str, path: str, body: Json | None) -> Json:
        request = urllib.request.Request(self.url + path, method=method)
        request.add_header("Accept", "application/json")
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, data, timeout=_ANSWER_S) as answer:
            found = json.loads(answer.read())
        if not isinstance(found, dict):
            raise ValueError(f"expected a JSON object from {path}, got {type(found).__name__}")
        return found


def _retry_after(error: urllib.error.HTTPError) -> float | None:
    text = error.headers.get("Retry-After", "") if error.headers else ""
    return float(text) if text.isdigit() else None


def _refusal(address: str, error: urllib.error.HTTPError) -> QdkernelError:
    try:
        detail = json.loads(error.read()).get("detail", "")
    except (OSError, ValueError, AttributeError):
        detail = ""
    hint = f"; set {TOKEN_VARIABLE} to the service's token" if error.code == 401 else ""
    return QdkernelError(f"{address} refused the request with HTTP {error.code}: {detail or error.reason}{hint}")
