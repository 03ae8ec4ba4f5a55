"""Clusters for tests, and what their workers report."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from qdkernel.backends import Identity
from tests.conftest import started


def identity() -> Identity:
    """All workers are of one class."""
    return Identity("all", platform.node())


@dataclass(frozen=True)
class Scheduler:
    """A Dask scheduler in a process of its own, and its nodes: a nanny each, whose child is the worker."""

    address: str
    process: subprocess.Popen[str]
    nodes: tuple[subprocess.Popen[str], ...]

    def signal_node(self, number: int, what: signal.Signals) -> None:
        """Sends a signal to a node's nanny, first, and to its worker."""
        nanny = psutil.Process(self.nodes[number].pid)
        for process in (nanny, *nanny.children(recursive=True)):
            process.send_signal(what)


@contextlib.contextmanager
def dask_cluster(folder: Path, *workers: Mapping[str, str]) -> Iterator[Scheduler]:
    """A scheduler and a worker for each of these additions to the environment, on this machine."""
    file = folder / "scheduler.json"
    environment = {**os.environ, "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
    dask = [sys.executable, "-m", "dask"]
    begin = [*dask, "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    work = [*dask, "worker", "--nthreads", "1", "--resources", "MEASURE=1", "--no-dashboard", "--memory-limit", "0"]
    work += ["--scheduler-file", str(file), "--local-directory", str(folder)]
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(started(begin, environment))
        nodes = tuple(stack.enter_context(started(work, {**environment, **more})) for more in workers)
        yield Scheduler(_address(file), process, nodes)


def _address(file: Path) -> str:
    """The scheduler's address, once it has written the file whole."""
    while True:
        if file.exists() and (found := re.search(r'"(tcp://[\d.:]+)"', file.read_text())):
            return found[1]
        time.sleep(0.1)
