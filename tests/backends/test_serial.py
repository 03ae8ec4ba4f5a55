from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qdkernel.backends import Backend
from qdkernel.backends.serial import SerialBackend
from tests.backends.conformance import BackendConformance


class TestSerialBackend(BackendConformance):
    processes = False

    def make(self, work: Callable[[Any], Any], workers: int) -> Backend[Any, Any]:
        return SerialBackend(work, workers)


def test_one_task_at_a_time() -> None:
    assert SerialBackend(abs, workers=4).capacity == 1
