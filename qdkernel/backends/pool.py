"""Worker processes for callers that come at any time, e.g. a service: one future per task.

``FanOut`` serves one loop that hands in tasks and folds results; an idle worker polls for tasks there. Here a task
starts at once, and any thread may hand one in.
"""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from qdkernel.backends.loky import _ATTEMPTS, _enter_worker

Task = TypeVar("Task")
Result = TypeVar("Result")


class WorkerKilled(Exception):
    """The worker process was killed each time the task was tried."""


class WorkerPool(Generic[Task, Result]):
    """Runs ``work(task)`` in worker processes.

    If a worker is killed, loky abandons every task under way; each of them is tried once more in new workers.

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

    def submit(self, task: Task) -> Future[Result]:
        """Hands in a task.

        The future raises ``WorkerKilled`` when its worker was killed twice, and what ``work`` raised otherwise. Its
        callbacks run in a thread of the pool and must be short.
        """
        result: Future[Result] = Future()
        self._try(task, result, _ATTEMPTS)
        return result

    def close(self) -> None:
        """Ends the workers; tasks under way are abandoned and their futures raise ``WorkerKilled``."""
        with self._lock:
            self._closed = True
            executor, self._executor = self._executor, None
        if executor is not None:
            _end(executor)

    def _try(self, task: Task, result: Future[Result], attempts: int) -> None:
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
                result.set_exception(WorkerKilled("the worker was killed while it evaluated this kernel"))

        try:
            with self._lock:
                executor = self._ready()
                under_way = executor.submit(self._work, task)
        except (BrokenProcessPool, ShutdownExecutorError):
            if attempts <= 1 or self._closed:
                result.set_exception(WorkerKilled("the workers were killed before they took this kernel"))
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
                max_workers=self._workers, timeout=None, initializer=_enter_worker, initargs=(os.getpid(),)
            )
        return self._executor

    def _drop(self, broken: Any) -> None:
        with self._lock:
            if self._executor is broken:
                self._executor = None


def _end(executor: Any) -> None:
    with warnings.catch_warnings(), contextlib.suppress(OSError):
        warnings.simplefilter("ignore")  # loky warns that it kills workers with tasks under way, as was asked
        executor.shutdown(wait=True, kill_workers=True)
