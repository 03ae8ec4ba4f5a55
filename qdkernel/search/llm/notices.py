"""Notices about a run's models: each kind of failure once, at once, with the server's own words."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from qdkernel.llm import FailureKind
from qdkernel.runs import EventKind, RunFolder


class Notices:
    """Collects notices in the threads of conversations; the main thread publishes them.

    Args:
        folder: each notice is an event of the run.
        say: shows a notice to the user.
    """

    def __init__(self, folder: RunFolder, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._say = say
        self._waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._known: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def add(self, model: str, kind: FailureKind | None, text: str) -> None:
        """Keeps the first failure of each kind, and each other observation (``kind`` is ``None``), for ``publish``."""
        with self._lock:
            known = (model, kind or text) in self._known
            self._known.add((model, kind or text))
        if not known:
            once = f"{kind}: {text} (shown once; `show` counts them)"
            self._waiting.put(f"model {model}: {once if kind else text}")

    def publish(self) -> None:
        """Announces what was added since the last time; for the main thread."""
        while not self._waiting.empty():
            self.announce(self._waiting.get())

    def announce(self, text: str) -> None:
        """Shows a notice and commits it as an event."""
        self._say(text)
        self._folder.events.add(EventKind.MODEL, text)
