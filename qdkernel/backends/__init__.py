"""Where evaluations run."""

from qdkernel.backends.base import Backend, Cluster, Done, Identity, Pool, WorkerKilled
from qdkernel.backends.parsl import NodeRequest
from qdkernel.backends.pool import WorkerPool
from qdkernel.backends.pooled import PooledBackend
from qdkernel.backends.registry import BACKENDS, make_backend

__all__ = [
    "BACKENDS",
    "Backend",
    "Cluster",
    "Done",
    "Identity",
    "NodeRequest",
    "Pool",
    "PooledBackend",
    "WorkerKilled",
    "WorkerPool",
    "make_backend",
]
