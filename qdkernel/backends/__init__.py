"""Where evaluations run."""

from qdkernel.backends.loky import FanOut
from qdkernel.backends.pool import WorkerKilled, WorkerPool

__all__ = [
    "FanOut",
    "WorkerKilled",
    "WorkerPool",
]
