"""Which manager of Parsl runs on which host, and which of them take no more tasks.

A manager is Parsl's process on a node; it starts the node's workers. Parsl 2026.10 does not report its host, so each
answer of a worker carries host and manager, as the worker's environment names it.
"""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What a task returned, and where it ran."""

    manager: str
    host: str
    value: Any  # Any: whatever the task returns


def answered(function: Callable[..., Any], *arguments: Any) -> Answer:  # Any: whatever the function takes and returns
    """Calls a function on a node; Parsl reads its function's signature, which built-in functions lack."""
    return Answer(os.environ["PARSL_WORKER_POOL_ID"], platform.node(), function(*arguments))


class Managers:
    """The managers of some executors; may be used from several threads.

    Args:
        executors: ``HighThroughputExecutor`` of Parsl.
    """

    def __init__(self, executors: Sequence[Any]) -> None:  # Any: Parsl has no types
        self._executors = executors
        self._hosts: dict[str, str] = {}  # by manager
        self._excluded: set[str] = set()  # hosts
        self._held: dict[str, int] = {}  # workers by manager
        self._guard = threading.Lock()

    @property
    def held_workers(self) -> int:
        """Workers that take no more tasks."""
        return sum(self._held.values())

    def meet(self, manager: str, host: str) -> None:
        """Takes in where a task ran; a manager that is new on an excluded host takes no more."""
        with self._guard:
            if manager in self._hosts:
                return
            self._hosts[manager] = host
            if self._excluded:
                self._hold()

    def exclude(self, host: str) -> None:
        """The managers of a host take no more tasks, those that come later neither after their first."""
        with self._guard:
            self._excluded.add(host)
            self._hold()

    def _hold(self) -> None:
        """Holds the managers of excluded hosts and forgets those that have ended."""
        held = {}
        for executor in self._executors:
            for each in executor.connected_managers():
                manager = each["manager"]
                if self._hosts.get(manager) in self._excluded:
                    if each["active"]:
                        executor._hold_manager(manager)  # as Parsl's own scaling does; there is no other way
                    held[manager] = each["worker_count"]
        self._held = held
