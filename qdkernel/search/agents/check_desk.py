"""Checks kernels for an agent, outside of its confinement: ``qdkernel check`` with the run's settings."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from qdkernel.config import Config
from qdkernel.search.agents.work_folder import WorkFolder

_SHARED = ("sizes", "threads", "accuracy", "races", "baseline", "machine", "compiler", "timing", "limits")
_MOST_BYTES = 1 << 17  # twice what the source policy accepts, so that it is the policy that refuses
_LATE = json.dumps({"outcome": "lost", "detail": "the check did not end in time; nothing is known of the kernel"})


class CheckDesk:
    """Answers the requests of one folder.

    Args:
        config: of the run.
        folder: of the agent.
    """

    def __init__(self, config: Config, folder: WorkFolder) -> None:
        values = config.model_dump(mode="json")
        self._command = [sys.executable, "-m", "qdkernel", "check"]
        self._settings = ["--problem", config.problem, "--json"]
        for name in _SHARED:
            self._settings += ["--set", f"{name}={json.dumps(values[name])}"]
        self._folder = folder

    def answer(self, timeout_s: float) -> bool:
        """Answers one request within a time; whether there was one."""
        request = self._folder.take_request(_MOST_BYTES)
        if request is None:
            return False
        name, source = request
        with tempfile.TemporaryDirectory(prefix="qdkernel-check-") as private:
            file = Path(private) / "kernel.c"
            file.write_bytes(source)
            command = [*self._command, str(file), *self._settings]
            try:
                done = subprocess.run(
                    command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout_s, check=False
                )
                self._folder.reply(name, done.stdout or done.stderr, done.returncode)
            except subprocess.TimeoutExpired:
                self._folder.reply(name, _LATE, 1)
        return True
