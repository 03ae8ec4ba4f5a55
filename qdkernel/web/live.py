"""Live views of runs that compute nothing beside a benchmark.

A run is read only while a browser has its page open, and then only what was committed since the last time. Reading
and drawing hold the host's core lock shared, as compiling does, so they wait while a kernel is timed; and after an
update that took t seconds the next one waits 150 t, so that a page takes less than 1 % of one core's time.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qdkernel.machine import CoreLock
from qdkernel.web.details import DetailSource
from qdkernel.web.panels import replay_data
from qdkernel.web.reading import RunData, RunReader, commit_stamp
from qdkernel.web.report import run_body
from qdkernel.web.view_model import RunView, run_view

LEAST_INTERVAL_S = 1.0
_REST = 150.0  # times its own duration that an update is followed by a pause


@dataclass
class LiveRun:
    """One run as its page shows it; read again when it has grown, at most as often as the rules above allow.

    Methods may be called from several threads.
    """

    path: Path
    lock: CoreLock = field(default_factory=CoreLock)

    def __post_init__(self) -> None:
        self._reader = RunReader(self.path)
        self._guard = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._run: RunData | None = None
        self._view: RunView | None = None
        self._next_at = 0.0

    def stamp(self) -> tuple[int, int]:
        """Changes with every commit; costs a look at the file's status."""
        return commit_stamp(self.path)

    def wait_s(self) -> float:
        """Seconds until the view may be brought up to date again."""
        return max(0.0, self._next_at - time.monotonic())

    def view(self) -> RunView:
        """The run as it stands, or as it stood a moment ago when it must not be read yet.

        Raises:
            RunFolderError: the folder cannot be read any more.
        """
        with self._guard:
            return self._refreshed()[1]

    def details(self, number: int) -> dict[str, Any] | None:  # Any: JSON
        """All about one record; ``None`` when the run does not have it."""
        with self._guard:
            run, _ = self._refreshed()
            with self.lock.shared():
                return DetailSource(run, self._reader).details([number]).get(number)

    def update(self, back: str) -> dict[str, Any]:  # Any: JSON
        """What a page needs to bring itself up to date."""
        view = self.view()
        return {"body": str(run_body(view, back)), "data": {"replay": replay_data(view)}}

    def _refreshed(self) -> tuple[RunData, RunView]:
        stamp = self.stamp()
        if self._run is None or self._view is None or (stamp != self._stamp and not self.wait_s()):
            with self.lock.shared():
                start = time.monotonic()
                self._run = self._reader.read()
                self._view = run_view(self._run)
                took = time.monotonic() - start
            self._stamp = stamp
            self._next_at = time.monotonic() + max(LEAST_INTERVAL_S, _REST * took)
        return self._run, self._view
