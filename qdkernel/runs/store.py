"""The database of an open run folder: one connection that threads share, one statement or transaction at a time."""

from __future__ import annotations

import contextlib
import datetime
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from qdkernel.core import Proposal
from qdkernel.errors import RunFolderError
from qdkernel.runs.database import transaction, translated
from qdkernel.runs.kinds import EventKind
from qdkernel.runs.lock import WriterLock
from qdkernel.runs.records import insert, proposal_row, source_bytes, storable, to_json
from qdkernel.runs.stored_rows import ElapsedRow

# Whatever is committed carries the run's active time; the next session's clock continues from the latest.
_LAST_ELAPSED = """
    SELECT max(elapsed_s) AS elapsed_s FROM (SELECT max(elapsed_s) AS elapsed_s FROM evaluations
    UNION ALL SELECT max(elapsed_s) FROM events UNION ALL SELECT max(elapsed_s) FROM model_calls)"""


class RunStore:
    """An open database with its clock; may be used from several threads of the process.

    Args:
        path: the run folder.
        database: the connection to its ``run.db``.
        lock: held by the one writer; ``None`` when opened for reading.

    Attributes:
        guard: held by a thread that reads or writes; hold it to read several queries' rows as of one moment.
    """

    def __init__(self, path: Path, database: sqlite3.Connection, lock: WriterLock | None) -> None:
        self.path = path
        self._database = database
        self._lock = lock
        # Python's sqlite3 lets threads share a connection, but not a transaction; reentrant: a transaction reads, too.
        self.guard = threading.RLock()
        self._started = time.monotonic()
        self._elapsed_before_s = ElapsedRow.of(self.rows(_LAST_ELAPSED)[0]).elapsed_s or 0.0

    def close(self) -> None:
        """Closes the database and lets the next writer in; does nothing the second time."""
        with self.guard:
            self._database.close()
            if self._lock:
                self._lock.release()

    @property
    def elapsed_s(self) -> float:
        """Seconds the run has been active: earlier sessions, and for a writer this one."""
        session = time.monotonic() - self._started if self._lock else 0.0
        return self._elapsed_before_s + session

    def rows(self, query: str, values: Iterable[Any] = ()) -> list[sqlite3.Row]:  # Any: what SQLite stores
        """What a query finds."""
        with self.guard, translated(self.path / "run.db"):
            return self._database.execute(query, tuple(values)).fetchall()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commits what the block writes, all or nothing.

        Raises:
            RunFolderError: the folder was opened for reading.
        """
        if self._lock is None:
            raise RunFolderError(f"{self.path} was opened for reading; open it with writable=True to add to it")
        with self.guard, translated(self.path / "run.db"), transaction(self._database):
            yield self._database


def insert_row(database: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> int:
    """Inserts a row and returns its number."""
    return int(database.execute(insert(table, row), dict(row)).lastrowid or 0)


def insert_proposal(database: sqlite3.Connection, proposal: Proposal, conversation_id: int | None) -> int:
    """Inserts a proposal, and its kernel when it is new, and returns the proposal's number."""
    database.execute(
        "INSERT OR IGNORE INTO kernels (id, source) VALUES (?, ?)", (proposal.kernel.id, source_bytes(proposal.kernel))
    )
    row = {**proposal_row(proposal), "proposed_at": now(), "conversation_id": conversation_id}
    return insert_row(database, "proposals", row)


def insert_event(database: sqlite3.Connection, kind: EventKind, text: str, elapsed_s: float) -> None:
    """Inserts something that happened to the run itself."""
    row = (now(), kind, storable(text), elapsed_s)
    database.execute("INSERT INTO events (at, kind, text, elapsed_s) VALUES (?, ?, ?, ?)", row)


def put_state(database: sqlite3.Connection, state: Mapping[str, Any]) -> None:  # Any: JSON values
    """Replaces the values under these keys."""
    for key, value in state.items():
        database.execute("INSERT OR REPLACE INTO state (key, value) VALUES (?, ?)", (key, to_json(value)))


def now() -> str:
    """This moment, UTC, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
