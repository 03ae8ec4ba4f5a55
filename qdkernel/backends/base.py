"""The contract of backends: tasks in, results as they finish, and every task accounted for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
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


class Pool(Protocol[TaskIn, Result]):
    """Workers that take tasks one by one; any thread may submit."""

    @property
    def capacity(self) -> int:
        """Number of pending tasks that keeps every worker busy."""

    def submit(self, task: TaskIn) -> Future[Result]:
        """Starts a task as soon as a worker is free.

        The future raises ``WorkerKilled`` when the worker was killed ``ATTEMPTS`` times, and otherwise what the work
        raised. Its callbacks run in a thread of the pool and must be short.
        """

    def exclude(self, host: str) -> None:
        """Gives the workers of a host no more tasks; those under way are finished."""

    def close(self) -> None:
        """Abandons what is under way and ends what the pool started."""


@dataclass(frozen=True)
class Identity:
    """What a worker reports about its machine.

    Attributes:
        machine_class: equal for machines whose measurements compare.
        host: the machine's own name.
    """

    machine_class: str
    host: str


Identify = Callable[[], Identity]
"""An importable function that workers call before they are given tasks."""


class Cluster(Protocol):
    """Workers on several machines, grouped by class of machine."""

    @property
    def classes(self) -> Mapping[str, int]:
        """Number of workers by class of machine; waits for the first workers."""

    def pool(self, machine_class: str, work: Callable[[Task], Result]) -> Pool[Task, Result]:
        """The workers of a class, those that come later included; each runs one task at a time."""

    def close(self) -> None:
        """Ends the workers that the cluster started, and disconnects from the others."""


class WorkerKilled(Exception):
    """The worker process was killed each time the task was run."""


MakeBackend = Callable[[Callable[[Task], Result], int], Backend[Task, Result]]
"""``make(work, workers)``: a backend that calls ``work``, an importable function of one picklable argument."""
