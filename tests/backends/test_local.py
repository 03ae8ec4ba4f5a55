from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import psutil

from qdkernel.backends import Backend
from qdkernel.backends.local import LocalBackend
from tests.backends.conformance import BackendConformance, drain
from tests.backends.work import square


class TestLocalBackend(BackendConformance):
    processes = True

    def make(self, work: Callable[[Any], Any], workers: int) -> Backend[Any, Any]:
        return LocalBackend(work, workers)


def test_a_worker_whose_parent_was_gone_before_it_began_ends() -> None:
    enter = "import time; from qdkernel.backends.pool import _enter_worker; _enter_worker(1 << 22); time.sleep(60)"
    done = subprocess.run([sys.executable, "-c", enter], timeout=30, check=False)
    assert done.returncode == -signal.SIGKILL


def workers() -> set[int]:
    family = psutil.Process().children(recursive=True)
    return {process.pid for process in family if "popen_loky" in " ".join(process.cmdline())}


def test_workers_stay_until_the_backend_is_closed() -> None:
    before = workers()
    backend: LocalBackend[int, int] = LocalBackend(square, 2)
    backend.submit(1, 1)
    drain(backend)
    first = workers() - before
    time.sleep(1.2)  # twice the interval at which a worker checks that its parent is there
    backend.submit(2, 2)
    drain(backend)
    assert first
    assert workers() - before == first
    backend.close()
    assert workers() - before == set()


def test_a_workers_numpy_has_one_thread() -> None:
    backend: LocalBackend[str, str | None] = LocalBackend(_variable, 2)
    backend.submit(1, "OPENBLAS_NUM_THREADS")
    assert [done.result for done in drain(backend)] == ["1"]


def _variable(name: str) -> str | None:
    import os

    return os.environ.get(name)
