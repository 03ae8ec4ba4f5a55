"""A real ``qdkernel serve`` process and a client that speaks plain HTTP."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.evolving import QUICK
from tests.paths import CONFIGS, ROOT

TOKEN = "a token of the tests"
SETTINGS = (*QUICK, "budget.minutes=1", "workers=2")


class Served:
    """A service in a process of its own; a context manager."""

    def __init__(
        self, folder: Path, *options: str, token: str = "", port: int = 0, config: str = "gemm-staged.yaml"
    ) -> None:
        command = [sys.executable, "-m", "qdkernel", "serve", str(CONFIGS / config), "--port", str(port), *options]
        if "--journal" not in options and "--archive" not in options:
            command += ["--journal", str(folder / "journal.db")]
        for setting in SETTINGS:
            command += ["--set", setting]
        env = {**os.environ, "QDKERNEL_SERVE_TOKEN": token, "PYTHONPATH": str(ROOT)}
        self.token = token
        self.lines: list[str] = []
        self.process = subprocess.Popen(command, cwd=folder, env=env, stderr=subprocess.PIPE, text=True)
        self._ready = threading.Event()
        self.port = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._ready.wait(120) or not self.port:
            self.__exit__()
            raise AssertionError("the service did not start:\n" + "".join(self.lines))

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if found := re.search(r"at http://[\d.]+:(\d+)", line):
                self.port = int(found[1])
                self._ready.set()
        self._ready.set()

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
        self.process.send_signal(number)
        code = self.process.wait(60)
        self._reader.join(10)
        return code

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(10)
        assert self.process.stderr is not None
        self.process.stderr.close()


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
