"""Worker processes on this machine: joblib's own executor, loky.

Workers are supervisors: candidate code runs only in their contained children, so no kernel can kill a worker. If
something else kills one (the kernel's out-of-memory killer, a person), loky ends all workers; the tasks that were under
way are submitted once more to new ones.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Generic

from qdkernel.backends.base import ATTEMPTS, Done, Result, Task

_WORKER_IDLE_S = 300  # workers stay for the next use for so long
# A worker's own numpy must not use other cores during a benchmark.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"), "1")


class LocalBackend(Generic[Task, Result]):
    """Spreads tasks over worker processes; workers are reused by later backends of this process.

    Args:
        work: an importable function of one picklable argument.
        workers: worker processes.
    """

    def __init__(self, work: Callable[[Task], Result], workers: int) -> None:
        self._work = work
        self._workers = workers
        self._tasks: dict[int, Task] = {}
        self._attempts: dict[int, int] = {}
        self._finished: queue.SimpleQueue[tuple[int, Future[Result]]] = queue.SimpleQueue()

    @property
    def capacity(self) -> int:
        """One task under way and one next for each worker; a single worker is given one at a time."""
        return 2 * self._workers if self._workers > 1 else 1

    @property
    def pending(self) -> int:
        """Tasks submitted whose result has not come back yet."""
        return len(self._tasks)

    def submit(self, number: int, task: Task) -> None:
        """Starts a task as soon as a worker is free."""
        self._tasks[number] = task
        self._attempts[number] = 0
        self._start(number)

    def completed(self, timeout_s: float | None = None) -> Sequence[Done[Result]]:
        """Tasks that finished since the last call; see ``Backend.completed``."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        done: list[Done[Result]] = []
        while self._tasks and not done:
            try:
                rest_s = None if deadline is None else max(0.0, deadline - time.monotonic())
                done += self._settle(*self._finished.get(timeout=rest_s))
                while True:
                    done += self._settle(*self._finished.get_nowait())
            except queue.Empty:
                if deadline is not None and time.monotonic() >= deadline:
                    break
        return done

    def close(self) -> None:
        """Abandons what is pending; the workers finish it unseen and stay for later backends."""
        self._tasks.clear()

    def _start(self, number: int) -> None:
        self._attempts[number] += 1
        future: Future[Result] = _executor(self._workers).submit(self._work, self._tasks[number])
        future.add_done_callback(lambda finished: self._finished.put((number, finished)))

    def _settle(self, number: int, future: Future[Result]) -> list[Done[Result]]:
        if number not in self._tasks:
            return []
        try:
            result = future.result()
        except _worker_death():
            if self._attempts[number] < ATTEMPTS:
                self._start(number)
                return []
            del self._tasks[number]
            return [Done(number, None)]
        del self._tasks[number]
        return [Done(number, result)]


def _executor(workers: int) -> Any:  # Any: joblib ships no types
    from joblib.externals.loky import get_reusable_executor

    return get_reusable_executor(
        workers, timeout=_WORKER_IDLE_S, initializer=_enter_worker, initargs=(os.getpid(),), env=_ONE_THREAD
    )


def _worker_death() -> type[BaseException]:
    from joblib.externals.loky.process_executor import BrokenProcessPool

    death: type[BaseException] = BrokenProcessPool
    return death


def _enter_worker(parent: int) -> None:
    """Ignores interrupts, which the main process handles, and ends the worker when its parent is gone.

    The parent's id is passed: it may be gone before its worker starts.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)  # its contained children die with it

    threading.Thread(target=watch, daemon=True).start()
