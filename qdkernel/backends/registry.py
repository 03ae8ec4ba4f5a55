"""The backends by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qdkernel.backends.base import Backend, Result, Task
from qdkernel.backends.local import LocalBackend
from qdkernel.backends.serial import SerialBackend

BACKENDS: dict[str, type[Any]] = {  # Any: classes that take (work, workers) and keep the contract, see MakeBackend
    "local": LocalBackend,
    "serial": SerialBackend,
}


def make_backend(name: str, work: Callable[[Task], Result], workers: int) -> Backend[Task, Result]:
    """A backend of the registry that calls ``work`` in ``workers`` processes."""
    made: Backend[Task, Result] = BACKENDS[name](work, workers)
    return made
