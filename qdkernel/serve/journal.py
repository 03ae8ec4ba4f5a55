"""What a service has accepted and found, in SQLite: a killed service continues where it was.

A job is committed before it is acknowledged, an evaluation before anyone sees its verdict.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from qdkernel.core import Evaluation, Kernel
from qdkernel.errors import RunFolderError
from qdkernel.rewards import Submission, Verdict

_APPLICATION_ID = 0x51444B4A  # "QDKJ"
_VERSION = 1
_KEPT_S = 7 * 86400.0  # heuristic: no trainer asks for a job after a week
_TABLES = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE jobs (
        number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, accepted_at REAL NOT NULL, duel INTEGER NOT NULL,
        submissions TEXT NOT NULL, verdicts TEXT, finished_at REAL)""",
    "CREATE INDEX unfinished ON jobs (number) WHERE verdicts IS NULL",
    """CREATE TABLE evaluations (
        number INTEGER PRIMARY KEY, kernel_id TEXT NOT NULL, stage TEXT NOT NULL, source BLOB NOT NULL,
        outcome TEXT NOT NULL, evaluation TEXT NOT NULL, finished_at REAL NOT NULL)""",
    "CREATE INDEX evaluations_by_kernel ON evaluations (kernel_id)",
)
_EVALUATION: TypeAdapter[Evaluation] = TypeAdapter(Evaluation)


@dataclass(frozen=True)
class StoredJob:
    """A job as it was accepted; ``verdicts`` is ``None`` while it is not finished."""

    id: str
    submissions: tuple[Submission, ...]
    duel: bool
    verdicts: tuple[Verdict, ...] | None


class Journal:
    """The journal of one service; its methods may be called from several threads.

    Args:
        path: the file; made when missing.

    Raises:
        RunFolderError: it cannot be used, is in use by another service, or is another kind of file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Kept open with an exclusive lock: a journal has one service.
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=2.0)
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            # With the exclusive lock WAL needs no shared memory, so network file systems are fine. NORMAL: a killed
            # process loses nothing, a power cut perhaps the last commits; a client hands such a job in again.
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.execute("BEGIN EXCLUSIVE")
            self._prepare()
            self._database.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            hint = "another service uses it" if "locked" in str(error) else "name another with --journal"
            raise RunFolderError(f"{path}: cannot be used as a journal ({error}); {hint}") from error

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._database.close()

    def meta(self, key: str) -> str | None:
        """A fact about the service that wrote the journal."""
        rows = self._rows("SELECT value FROM meta WHERE key = ?", (key,))
        return None if not rows else str(rows[0][0])

    def set_meta(self, values: Mapping[str, str]) -> None:
        """Commits facts."""
        self._write([("INSERT OR REPLACE INTO meta VALUES (?, ?)", item) for item in values.items()])

    def add_job(self, job_id: str, submissions: Sequence[Submission], duel: bool) -> None:
        """Commits a job."""
        text = json.dumps([asdict(submission) for submission in submissions])
        query = "INSERT INTO jobs (id, accepted_at, duel, submissions) VALUES (?, ?, ?, ?)"
        self._write([(query, (job_id, time.time(), int(duel), text))])

    def finish_job(self, job_id: str, verdicts: Sequence[Verdict]) -> None:
        """Commits the verdicts of a job."""
        text = json.dumps([verdict.to_json() for verdict in verdicts])
        self._write([("UPDATE jobs SET verdicts = ?, finished_at = ? WHERE id = ?", (text, time.time(), job_id))])

    def job(self, job_id: str) -> StoredJob | None:
        """The job with this id."""
        rows = self._rows("SELECT id, submissions, duel, verdicts FROM jobs WHERE id = ?", (job_id,))
        return _job(rows[0]) if rows else None

    def unfinished(self) -> list[StoredJob]:
        """Jobs without verdicts, oldest first."""
        query = "SELECT id, submissions, duel, verdicts FROM jobs WHERE verdicts IS NULL ORDER BY number"
        return [_job(row) for row in self._rows(query)]

    def add_evaluation(self, kernel: Kernel, stage: str, evaluation: Evaluation) -> None:
        """Commits an evaluation."""
        source = kernel.source.encode("utf-8", "surrogateescape")
        text = json.dumps(asdict(evaluation))  # infinity as Python writes it
        row = (kernel.id, stage, source, evaluation.outcome.value, text, time.time())
        query = """INSERT INTO evaluations (kernel_id, stage, source, outcome, evaluation, finished_at)
            VALUES (?, ?, ?, ?, ?, ?)"""
        self._write([(query, row)])

    def evaluations(self, most: int) -> Iterator[tuple[Kernel, Evaluation]]:
        """The newest evaluations, oldest first."""
        query = "SELECT source, evaluation FROM evaluations ORDER BY number DESC LIMIT ?"
        for source, text in reversed(self._rows(query, (most,))):
            yield Kernel(source.decode("utf-8", "surrogateescape")), _EVALUATION.validate_python(json.loads(text))

    def has(self, kernel: Kernel) -> bool:
        """Whether an evaluation of the kernel was committed."""
        return bool(self._rows("SELECT 1 FROM evaluations WHERE kernel_id = ? LIMIT 1", (kernel.id,)))

    def _prepare(self) -> None:
        made = self._database.execute("PRAGMA user_version").fetchone()[0]
        kind = self._database.execute("PRAGMA application_id").fetchone()[0]
        if made == 0 and kind == 0 and not self._database.execute("SELECT 1 FROM sqlite_master").fetchone():
            for table in _TABLES:
                self._database.execute(table)
            self._database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            self._database.execute(f"PRAGMA user_version = {_VERSION}")
        elif (kind, made) != (_APPLICATION_ID, _VERSION):
            raise sqlite3.DatabaseError("it is another kind of file, or of another version")
        self._database.execute(
            "DELETE FROM jobs WHERE verdicts IS NOT NULL AND finished_at < ?", (time.time() - _KEPT_S,)
        )

    def _write(self, statements: Sequence[tuple[str, tuple[Any, ...]]]) -> None:  # Any: SQLite values
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                for query, values in statements:
                    self._database.execute(query, values)
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def _rows(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:  # Any: SQLite values
        with self._lock:
            return self._database.execute(query, values).fetchall()


def _job(row: tuple[str, str, int, str | None]) -> StoredJob:
    job_id, submissions, duel, verdicts = row
    told = None if verdicts is None else tuple(Verdict.from_json(verdict) for verdict in json.loads(verdicts))
    return StoredJob(job_id, tuple(Submission(**each) for each in json.loads(submissions)), bool(duel), told)
