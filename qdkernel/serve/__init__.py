"""The judge as a service: HTTP routes, a queue, a journal that survives kill -9, an optional run folder."""

from qdkernel.serve.journal import Journal
from qdkernel.serve.recorder import RunRecorder
from qdkernel.serve.server import serve_until_stopped
from qdkernel.serve.service import QueueFull, Service
from qdkernel.serve.settings import Settings, check_address

__all__ = [
    "Journal",
    "QueueFull",
    "RunRecorder",
    "Service",
    "Settings",
    "check_address",
    "serve_until_stopped",
]
