"""``qdkernel`` in processes of their own that need not import everything anew: a fork server has done so once.

Importing takes such a process longer than a small run; all else (pid, signals, exit code, output) is as from a shell.
"""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import types
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    [
        "joblib",
        "matplotlib.figure",
        "pytest",
        "qdkernel.cli",
        "qdkernel.commands.search.evolve",
        "qdkernel.plots",
        "ribs.archives",
        __name__,
    ]
)


class Forked:
    """``qdkernel`` with these arguments, as far as tests need ``subprocess.Popen``."""

    def __init__(
        self, arguments: Sequence[str], folder: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        self._out, self._err = folder / "out", folder / "err"
        self._process = _SERVER.Process(
            target=_main,
            args=(list(arguments), dict(env or os.environ), cwd or Path.cwd(), str(self._out), str(self._err)),
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self._out.read_text() if self._out.exists() else ""

    @property
    def errors(self) -> str:
        """What it has printed on standard error so far."""
        return self._err.read_text() if self._err.exists() else ""

    def printed(self, pattern: str, timeout_s: float = 120) -> re.Match[str]:
        """Waits until it has printed what matches."""
        deadline = time.monotonic() + timeout_s
        while True:
            running = self._process.is_alive()  # asked first, so that its last words count
            if found := re.search(pattern, self.output + self.errors):
                return found
            assert running, f"it ended before it printed {pattern}:\n{self.errors}"
            assert time.monotonic() < deadline, f"it did not print {pattern} in {timeout_s} s:\n{self.errors}"
            time.sleep(0.02)

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()

    def finish(self, timeout_s: float) -> subprocess.CompletedProcess[str]:
        """Waits for its end."""
        self._process.join(timeout_s)
        assert self._process.exitcode is not None, f"still running after {timeout_s} s: {self.errors}"
        return subprocess.CompletedProcess([], self._process.exitcode, self.output, self.errors)


@contextlib.contextmanager
def forked(arguments: Sequence[str], env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Iterator[Forked]:
    """A command that does not outlive the block, whatever fails in it."""
    with tempfile.TemporaryDirectory() as folder:
        process = Forked(arguments, Path(folder), env, cwd)
        try:
            yield process
        finally:
            process.kill()
            process.finish(10)


def run_forked(
    arguments: Sequence[str], env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """A command to its end."""
    with forked(arguments, env, cwd) as process:
        return process.finish(300)


def _main(arguments: Sequence[str], env: Mapping[str, str], cwd: Path, out: str, err: str) -> None:
    """In the child: output into the files, and no trace of the test in what workers learn of their parent."""
    from qdkernel.cli import main

    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = ["qdkernel", *arguments]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        main()
    finally:  # as at the end of any program, but multiprocessing would wait for joblib's workers first
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
