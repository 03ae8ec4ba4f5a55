"""Worker processes on this machine: joblib's own executor, loky, with one future per task.

Workers are supervisors: candidate code runs only in their contained children, so no kernel can kill a worker. If
something else kills one (the kernel's out-of-memory killer, a person), loky ends all workers; each task that was under
way is run once more in new ones.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic

from qdkernel.backends.base import ATTEMPTS, Result, Task, WorkerKilled

# A worker's own numpy must not use other cores during a benchmark.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"), "1")


class WorkerPool(Generic[Task, Result]):
    """Runs ``work(task)`` in worker processes; any thread may submit tasks.

    Args:
        work: an importable function of one picklable argument.
        workers: worker processes, at least 1.
    """

    def __init__(self, work: Callable[[Task], Result], workers: int) -> None:
        self._work = work
        self._workers = workers
        self._lock = threading.Lock()
        self._executor: Any = None  # Any: loky has no types
        self._closed = False

    @property
    def capacity(self) -> int:
        """One task under way and one next for each worker; a single worker is given one at a time."""
        return 2 * self._workers if self._workers > 1 else 1

    def submit(self, task: Task) -> Future[Result]:
        """Starts a task as soon as a worker is free.

        The future raises ``WorkerKilled`` when its worker was killed each time, and otherwise what ``work`` raised. Its
        callbacks run in a thread of the pool and must be short.
        """
        result: Future[Result] = Future()
        self._try(task, result, ATTEMPTS)
        return result

    def exclude(self, host: str) -> None:
        """Nothing: all workers are of this host."""

    def close(self) -> None:
        """Ends the workers; tasks under way are abandoned and their futures raise ``WorkerKilled``."""
        with self._lock:
            self._closed = True
            executor, self._executor = self._executor, None
        if executor is not None:
            _end(executor)

    def _try(self, task: Task, result: Future[Result], attempts: int) -> None:
        with self._lock:  # its modules import one another in a circle, which threads must not enter at the same time
            from joblib.externals.loky.process_executor import BrokenProcessPool, ShutdownExecutorError

        def finished(done: Future[Result]) -> None:
            error = done.exception()
            if error is None:
                result.set_result(done.result())
            elif not isinstance(error, (BrokenProcessPool, ShutdownExecutorError)):
                result.set_exception(error)
            elif attempts > 1 and not self._closed:
                self._drop(executor)
                self._try(task, result, attempts - 1)
            else:
                result.set_exception(WorkerKilled("the worker was killed while it ran this task"))

        try:
            with self._lock:
                executor = self._ready()
                under_way = executor.submit(self._work, task)
        except (BrokenProcessPool, ShutdownExecutorError):
            if attempts <= 1 or self._closed:
                result.set_exception(WorkerKilled("the workers were killed before they took this task"))
                return
            self._drop(executor)
            self._try(task, result, attempts - 1)
            return
        under_way.add_done_callback(finished)

    def _ready(self) -> Any:  # Any: loky has no types
        from joblib.externals.loky import ProcessPoolExecutor
        from joblib.externals.loky.process_executor import ShutdownExecutorError

        if self._closed:
            raise ShutdownExecutorError("the pool is closed")
        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                max_workers=self._workers,
                timeout=None,
                initializer=_enter_worker,
                initargs=(os.getpid(),),
                env=_ONE_THREAD,
            )
        return self._executor

    def _drop(self, broken: Any) -> None:
        with self._lock:
            if self._executor is broken:
                self._executor = None


def _end(executor: Any) -> None:
    """Kills the workers, which fails the futures of their tasks, and waits for the executor's thread.

    loky's own ``shutdown(kill_workers=True)`` races with that thread when tasks are under way (KeyError, loky 3.5).
    """
    for pid in list(executor._processes):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    executor.shutdown(wait=True)


def _enter_worker(parent: int) -> None:
    """Ignores interrupts, which the main process handles, and ends the worker when its parent is gone.

    The parent's id is passed: it may be gone before its worker starts. loky replaces a worker that has grown by 300 MB
    since its first task, as if it leaked. The buffers of timed calls beyond the caches are larger than that, and a new
    worker would prepare them and the baseline again, so the limit is lifted.
    """
    from joblib.externals.loky import process_executor

    process_executor._MAX_MEMORY_LEAK_SIZE = sys.maxsize
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)  # its contained children die with it

    threading.Thread(target=watch, daemon=True).start()
