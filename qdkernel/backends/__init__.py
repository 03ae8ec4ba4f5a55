"""Where evaluations run."""

from qdkernel.backends.base import Backend, Done
from qdkernel.backends.pool import WorkerKilled, WorkerPool
from qdkernel.backends.registry import BACKENDS, make_backend

__all__ = [
    "BACKENDS",
    "Backend",
    "Done",
    "WorkerKilled",
    "WorkerPool",
    "make_backend",
]
