"""The backend of one machine: a pool of worker processes."""

from __future__ import annotations

from collections.abc import Callable

from qdkernel.backends.base import Result, Task
from qdkernel.backends.pool import WorkerPool
from qdkernel.backends.pooled import PooledBackend


class LocalBackend(PooledBackend[Task, Result]):
    """Spreads tasks over worker processes; see ``Backend``.

    Args:
        work: an importable function of one picklable argument.
        workers: worker processes.
    """

    def __init__(self, work: Callable[[Task], Result], workers: int) -> None:
        super().__init__(WorkerPool(work, workers))
