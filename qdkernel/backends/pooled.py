"""A backend whose tasks go to a pool of workers; which pool decides where they run."""

from __future__ import annotations

import queue
import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Generic

from qdkernel.backends.base import Done, Pool, Result, Task, WorkerKilled


class PooledBackend(Generic[Task, Result]):
    """Tasks in a pool; see ``Backend``.

    Args:
        pool: closed with the backend.
    """

    def __init__(self, pool: Pool[Task, Result]) -> None:
        self._pool = pool
        self._pending: set[int] = set()
        self._finished: queue.SimpleQueue[tuple[int, Future[Result]]] = queue.SimpleQueue()

    @property
    def capacity(self) -> int:
        """Number of pending tasks that keeps every worker busy."""
        return self._pool.capacity

    @property
    def pending(self) -> int:
        """Tasks submitted whose result has not come back yet."""
        return len(self._pending)

    def submit(self, number: int, task: Task) -> None:
        """Starts a task as soon as a worker is free."""
        self._pending.add(number)
        self._pool.submit(task).add_done_callback(lambda future: self._finished.put((number, future)))

    def completed(self, timeout_s: float | None = None) -> Sequence[Done[Result]]:
        """Tasks that finished since the last call; see ``Backend.completed``."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        done: list[Done[Result]] = []
        while self._pending and not done:
            try:
                done += self._settled(deadline)
            except queue.Empty:
                break
        return done

    def close(self) -> None:
        """Abandons what is pending and ends the workers."""
        self._pending.clear()
        self._pool.close()

    def _settled(self, deadline: float | None) -> list[Done[Result]]:
        """The next finished task, and all others that have finished by then."""
        rest_s = None if deadline is None else max(0.0, deadline - time.monotonic())
        found = [self._finished.get(timeout=rest_s)]
        while not self._finished.empty():
            found.append(self._finished.get())
        return [self._take(number, future) for number, future in found if number in self._pending]

    def _take(self, number: int, future: Future[Result]) -> Done[Result]:
        self._pending.discard(number)
        try:
            return Done(number, future.result())
        except WorkerKilled:
            return Done(number, None)
