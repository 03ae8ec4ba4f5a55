"""Where evaluations run."""

from qdkernel.backends.base import Backend, Done
from qdkernel.backends.loky import FanOut
from qdkernel.backends.pool import WorkerKilled, WorkerPool
from qdkernel.backends.registry import BACKENDS, make_backend

__all__ = [
    "BACKENDS",
    "Backend",
    "Done",
    "FanOut",
    "WorkerKilled",
    "WorkerPool",
    "make_backend",
]
