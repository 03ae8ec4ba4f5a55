"""The contract of backends: tasks in, results as they finish, and every task accounted for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")
TaskIn = TypeVar("TaskIn", contravariant=True)

ATTEMPTS = 2
"""How often a task is run before it counts as lost: once more after its worker was killed."""


@dataclass(frozen=True)
class Done(Generic[Result]):
    """A finished task.

    Attributes:
        number: as given to ``Backend.submit``.
        result: what the work returned; ``None`` when the task was lost with its worker.
    """

    number: int
    result: Result | None


class Backend(Protocol[TaskIn, Result]):
    """Runs one function on many tasks.

    All methods are called from one thread. A worker that dies costs its task at most one repetition; a task that kills
    its worker ``ATTEMPTS`` times comes back as lost. An exception of the work itself is raised by ``completed``.
    """

    @property
    def capacity(self) -> int:
        """Number of pending tasks that keeps every worker busy."""

    @property
    def pending(self) -> int:
        """Tasks submitted whose result has not come back yet."""

    def submit(self, number: int, task: TaskIn) -> None:
        """Starts a task as soon as a worker is free; ``number`` identifies it and is not pending yet."""

    def completed(self, timeout_s: float | None = None) -> Sequence[Done[Result]]:
        """Tasks that finished since the last call.

        Waits until there is one, or ``timeout_s`` seconds have passed (``None``: without limit). Returns at once when
        nothing is pending.
        """

    def close(self) -> None:
        """Abandons what is pending; nothing may be submitted afterwards."""


MakeBackend = Callable[[Callable[[Task], Result], int], Backend[Task, Result]]
"""``make(work, workers)``: a backend that calls ``work``, an importable function of one picklable argument."""
