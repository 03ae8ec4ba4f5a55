"""Live views of runs that compute nothing beside a benchmark.

A run is read only while a browser has its page open, and then only what was committed since the last time. Reading
and drawing hold the host's core lock shared, as compiling does, so they wait while a kernel is timed; and after an
update that took t seconds the next one waits 150 t, so that a page takes less than 1 % of one core's time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from qdkernel.machine import CoreLock
from qdkernel.web.page import replay_data, run_body
from qdkernel.web.reading import RunData, RunReader, commit_stamp
from qdkernel.web.view import DetailSource, RunView, run_view

LEAST_INTERVAL_S = 1.0
_REST = 150.0  # times its own duration that an update is followed by a pause


@dataclass(frozen=True)
class Snapshot:
    """A run as it was read and drawn: its view, the body of its page, and what the page's scripts need."""

    run: RunData
    view: RunView
    body: Markup
    replay: Mapping[str, Any]  # Any: JSON


class LiveRun:
    """One run as its page shows it; read again when it has grown, at most as often as the rules above allow.

    Methods may be called from several threads.

    Args:
        path: the run folder.
        back: address of the list of runs, relative to the page's; empty when there is none.
        lock: on the host's cores.
    """

    def __init__(self, path: Path, back: str = "", lock: CoreLock | None = None) -> None:
        self._path = path
        self._back = back
        self._lock = lock or CoreLock()
        self._reader = RunReader(path)
        self._guard = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._snapshot: Snapshot | None = None
        self._next_at = 0.0

    def stamp(self) -> tuple[int, int]:
        """Changes with every commit; costs a look at the file's status."""
        return commit_stamp(self._path)

    def wait_s(self) -> float:
        """Seconds until the run may be read again."""
        return max(0.0, self._next_at - time.monotonic())

    def snapshot(self) -> Snapshot:
        """The run as it stands, or as it stood a moment ago when it must not be read yet.

        Raises:
            RunFolderError: the folder cannot be read any more.
        """
        with self._guard:
            return self._refreshed()

    def details(self, number: int) -> dict[str, Any] | None:  # Any: JSON
        """All about one record; ``None`` when the run does not have it."""
        with self._guard:
            snapshot = self._refreshed()
            with self._lock.shared():
                return DetailSource(snapshot.run, self._reader).details([number]).get(number)

    def _refreshed(self) -> Snapshot:
        stamp = self.stamp()
        if self._snapshot is None or (stamp != self._stamp and not self.wait_s()):
            with self._lock.shared():
                start = time.monotonic()
                run = self._reader.read()
                view = run_view(run)
                self._snapshot = Snapshot(run, view, run_body(view, self._back), replay_data(view))
                took = time.monotonic() - start
            self._stamp = stamp
            self._next_at = time.monotonic() + max(LEAST_INTERVAL_S, _REST * took)
        return self._snapshot
