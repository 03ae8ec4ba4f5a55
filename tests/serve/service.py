"""A real ``qdkernel serve`` process and a client that speaks plain HTTP."""

from __future__ import annotations

import http.client
import json
import os
import signal
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.evolving import QUICK, as_arguments
from tests.forked import Forked
from tests.paths import CONFIGS

TOKEN = "a token of the tests"
SETTINGS = (*QUICK, "budget.minutes=1", "workers=2")


class Served:
    """A service in a process of its own; a context manager."""

    def __init__(
        self, folder: Path, *options: str, token: str = "", port: int = 0, config: str = "gemm-staged.yaml"
    ) -> None:
        arguments = ["serve", str(CONFIGS / config), "--port", str(port), *options, *as_arguments(SETTINGS)]
        if "--journal" not in options and "--archive" not in options:
            arguments += ["--journal", str(folder / "journal.db")]
        self.token = token
        self._output = tempfile.TemporaryDirectory()
        environment = {**os.environ, "QDKERNEL_SERVE_TOKEN": token}
        self._process = Forked(arguments, Path(self._output.name), environment, folder)
        try:
            self.port = int(self._process.printed(r"at http://[\d.]+:(\d+)")[1])
        except AssertionError:
            self.__exit__()
            raise

    @property
    def lines(self) -> list[str]:
        """What it has printed on standard error so far."""
        return self._process.errors.splitlines()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, timeout: float = 120
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, JSON (or text) and headers; bytes are sent as they are."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        sent = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        try:
            connection.request(method, path, data, {**sent, "Content-Type": "application/json", **(headers or {})})
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        found = json.loads(text) if answer.headers.get_content_type() == "application/json" else text.decode()
        return answer.status, found, {name.lower(): value for name, value in answer.headers.items()}

    def stop(self, number: int = signal.SIGTERM) -> int:
        self._process.send_signal(number)
        return self._process.finish(60).returncode

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.finish(10)
        self._output.cleanup()


def fenced(source: str) -> str:
    return f"```c\n{source}\n```\n"


def batch(sources: Sequence[str], **more: Any) -> dict[str, Any]:
    return {"submissions": [{"completion": fenced(source)} for source in sources], **more}


def wait_done(served: Served, job_id: str, seconds: float = 300) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        status, found, _ = served.ask("GET", f"/v1/jobs/{job_id}?wait_s=20")
        assert status == 200, found
        if found["state"] == "done":
            return dict(found)
    raise AssertionError(f"job {job_id} was not done in {seconds} s")
