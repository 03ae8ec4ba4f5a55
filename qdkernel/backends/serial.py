"""Tasks one after the other in this process: for debugging, and where worker processes are not wanted."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic

from qdkernel.backends.base import Done, Result, Task


class SerialBackend(Generic[Task, Result]):
    """Runs a task when its result is asked for.

    Args:
        work: called with each task.
        workers: ignored; there is one.
    """

    def __init__(self, work: Callable[[Task], Result], workers: int = 1) -> None:
        self._work = work
        self._waiting: deque[tuple[int, Task]] = deque()

    @property
    def capacity(self) -> int:
        """One task."""
        return 1

    @property
    def pending(self) -> int:
        """Tasks submitted whose result has not come back yet."""
        return len(self._waiting)

    def submit(self, number: int, task: Task) -> None:
        """Keeps a task for the next call of ``completed``."""
        self._waiting.append((number, task))

    def completed(self, timeout_s: float | None = None) -> Sequence[Done[Result]]:
        """Runs the oldest task, which the timeout does not interrupt."""
        if not self._waiting:
            return ()
        number, task = self._waiting.popleft()
        return (Done(number, self._work(task)),)

    def close(self) -> None:
        """Drops the tasks that have not run."""
        self._waiting.clear()
