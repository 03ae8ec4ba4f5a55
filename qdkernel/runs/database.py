"""The SQLite file of a run folder: its tables, how it is opened, what its errors mean.

Rollback journal, never WAL: home folders of clusters are network file systems, where WAL's shared memory does not work.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from qdkernel.core import printable
from qdkernel.errors import RunFolderError

SCHEMA_VERSION = 8
APPLICATION_ID = 0x51444B52  # "QDKR"; distinguishes a run's database from any other SQLite file

# https://www.sqlite.org/fileformat.html, sections 1.3 and 3
_MODES, _WAL = 18, b"\x02\x02"
_JOURNAL_MAGIC = bytes.fromhex("d9d505f920a163d7")

# A reader holds its lock for one page of rows, so a wait this long means a stopped or hung process.
BUSY_TIMEOUT_S = 60.0

TABLES = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    # BLOB: a kernel's identity is that of its bytes, which need not be UTF-8
    "CREATE TABLE kernels (id TEXT PRIMARY KEY, source BLOB NOT NULL, normal_hash TEXT)",
    # Numbers before long texts, here and in model_calls: SQLite then counts and sums without reading the texts.
    """CREATE TABLE conversations (
        id INTEGER PRIMARY KEY, operator TEXT NOT NULL, model TEXT NOT NULL, started_at TEXT NOT NULL,
        ended TEXT, ended_at TEXT, reason TEXT NOT NULL, assignment TEXT NOT NULL)""",
    """CREATE TABLE model_calls (
        id INTEGER PRIMARY KEY, conversation_id INTEGER NOT NULL REFERENCES conversations, turn INTEGER NOT NULL,
        asked INTEGER NOT NULL, attempts INTEGER NOT NULL, finish_reason TEXT NOT NULL,
        prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, cost REAL NOT NULL,
        estimated_tokens INTEGER NOT NULL,
        asked_at TEXT NOT NULL, answered_at TEXT, latency_s REAL, elapsed_s REAL,
        failure_kind TEXT, failure TEXT, reply TEXT, request TEXT NOT NULL, UNIQUE (conversation_id, turn))""",
    """CREATE TABLE proposals (
        id INTEGER PRIMARY KEY, kernel_id TEXT NOT NULL REFERENCES kernels, operator TEXT NOT NULL, idea TEXT NOT NULL,
        parents TEXT NOT NULL, target TEXT, notes TEXT NOT NULL, proposed_at TEXT NOT NULL,
        conversation_id INTEGER REFERENCES conversations, arm_operator TEXT, arm_model TEXT, parent_cell TEXT,
        stage TEXT NOT NULL, repair_of TEXT, repairs INTEGER NOT NULL, sections TEXT NOT NULL, shown TEXT NOT NULL)""",
    """CREATE TABLE evaluations (
        id INTEGER PRIMARY KEY, proposal_id INTEGER NOT NULL UNIQUE REFERENCES proposals,
        kernel_id TEXT NOT NULL REFERENCES kernels, outcome TEXT NOT NULL, detail TEXT NOT NULL, cell TEXT,
        evidence TEXT NOT NULL, objective REAL, proof TEXT, duplicate_of TEXT, normal_hash TEXT,
        assembly_hash TEXT, object_hash TEXT, duel TEXT, step_s TEXT NOT NULL, began_s TEXT NOT NULL,
        placement TEXT NOT NULL, finished_at TEXT NOT NULL,
        elapsed_s REAL NOT NULL)""",
    """CREATE TABLE remeasurements (
        evaluation_id INTEGER NOT NULL REFERENCES evaluations, measurement INTEGER NOT NULL CHECK (measurement > 0),
        objective REAL NOT NULL, measured_at TEXT NOT NULL, PRIMARY KEY (evaluation_id, measurement)) WITHOUT ROWID""",
    # measurement 0 is the evaluation's own timing, -1 that at held-out sizes
    """CREATE TABLE samples (
        evaluation_id INTEGER NOT NULL REFERENCES evaluations, measurement INTEGER NOT NULL, position INTEGER NOT NULL,
        size TEXT NOT NULL, flops REAL NOT NULL, bytes REAL NOT NULL, block_calls INTEGER NOT NULL, ratio REAL NOT NULL,
        ratio_low REAL NOT NULL, ratio_high REAL NOT NULL, gflops REAL NOT NULL, quiet INTEGER NOT NULL,
        bound INTEGER NOT NULL, joules REAL, kernel_ns TEXT NOT NULL, reference_ns TEXT NOT NULL,
        PRIMARY KEY (evaluation_id, measurement, position)) WITHOUT ROWID""",
    """CREATE TABLE events (
        id INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL, text TEXT NOT NULL, elapsed_s REAL NOT NULL)""",
    "CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
)


def create_database(path: Path, meta: dict[str, str]) -> sqlite3.Connection:
    """Makes the database of a new run and returns the writing connection; call it with the run's lock held.

    A reader finds it whole or not at all: it is made under another name.
    """
    part = path.with_name(f".{path.name}.new")
    with translated(path):
        part.unlink(missing_ok=True)  # of a start that was killed
        with _closed_on_error(part.absolute().as_uri() + "?mode=rwc") as connection:
            connection.execute("PRAGMA journal_mode = MEMORY")  # no second file that a killed start would leave
            with transaction(connection):
                for table in TABLES:
                    connection.execute(table)
                connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.close()
        part.rename(path)
    return open_writable(path)


def open_writable(path: Path) -> sqlite3.Connection:
    """The writing connection of an existing run; what a killed writer left half done is rolled back.

    Raises:
        RunFolderError: it cannot be read or written, or is not a run of this version.
    """
    _refuse_foreign_files(path)
    with translated(path), _closed_on_error(path.absolute().as_uri() + "?mode=rw") as connection:
        _set_for_writing(connection)
        _check_version(connection, path)
    return connection


def open_readonly(path: Path) -> sqlite3.Connection:
    """A reading connection; works beside a writer, in a folder one may not write, and after a killed writer.

    Raises:
        RunFolderError: it cannot be read, or is not a run of this version.
    """
    _refuse_foreign_files(path)
    uri = path.absolute().as_uri()
    with translated(path):
        try:
            return _open_checked(uri + "?mode=ro", path)
        except sqlite3.OperationalError as error:
            if _code(error) == sqlite3.SQLITE_READONLY:  # a killed writer's half-finished transaction is in the way
                _roll_back(path)
                return _open_checked(uri + "?mode=ro", path)
            if _code(error) not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR) or _may_change(path):
                raise
            # A read-only mount without locks: no process writes there, so reading without a lock is safe.
            return _open_checked(uri + "?immutable=1", path)


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All statements inside become durable together when the block ends, or none of them does."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # a full disk has rolled back already
            connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turns SQLite's errors into ``RunFolderError`` with advice."""
    try:
        yield
    except sqlite3.Error as error:
        hint = _HINTS.get(_code(error))
        raise RunFolderError(f"{path}: {hint or 'the database cannot be used'} (SQLite: {error})") from error
    except UnicodeDecodeError as error:
        raise RunFolderError(f"{path}: {_HINTS[sqlite3.SQLITE_CORRUPT]} ({error})") from error


_HINTS = {
    sqlite3.SQLITE_NOTADB: "expected the SQLite database of a run, got another kind of file; is this a run folder?",
    sqlite3.SQLITE_CORRUPT: "damaged or cut short; take a copy from a backup, or save what is left with "
    "`sqlite3 run.db .recover`",
    sqlite3.SQLITE_BUSY: "another process keeps it locked; end or resume that process and try again",
    sqlite3.SQLITE_FULL: "no space left on the disk; free some and resume: what was committed is safe",
    sqlite3.SQLITE_READONLY: "may not be written; check the rights of the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened; check that it exists and may be read",
    sqlite3.SQLITE_IOERR: "the file system failed to read or write it",
}


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary code; absent on errors of the Python module


def _connect(uri: str) -> sqlite3.Connection:
    # Several threads use it, one at a time: the store's lock ensures that.
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA trusted_schema = OFF")  # the file may come from elsewhere
    return connection


@contextlib.contextmanager
def _closed_on_error(uri: str) -> Iterator[sqlite3.Connection]:
    connection = _connect(uri)
    try:
        yield connection
    except BaseException:
        connection.close()
        raise


def _open_checked(uri: str, path: Path) -> sqlite3.Connection:
    with _closed_on_error(uri) as connection:
        _check_version(connection, path)
        return connection


def _set_for_writing(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    if version == 0 and connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0:
        raise RunFolderError(
            f"{path} is empty: nothing of the run is left; take a copy from a backup or start a new one"
        )
    if application != APPLICATION_ID:
        raise RunFolderError(f"{path} is an SQLite database, but not that of a run; give a folder made by `evolve`")
    _refuse_programs(connection, path)
    if version > SCHEMA_VERSION:
        raise RunFolderError(
            f"{path} was made by a newer qdkernel (schema {version}; this one reads {SCHEMA_VERSION}); "
            "install that version, e.g. `pip install --upgrade qdkernel`"
        )
    if version < SCHEMA_VERSION:
        raise RunFolderError(
            f"{path} was made by an earlier development version of qdkernel (schema {version}; this one reads "
            f"{SCHEMA_VERSION}) and cannot be read by this one; start a new run, or use the version that made it"
        )


def _refuse_programs(connection: sqlite3.Connection, path: Path) -> None:
    """Refuses a schema that would run statements of its own when the run is read or written."""
    found = connection.execute(
        "SELECT type, name FROM sqlite_schema WHERE type IN ('trigger', 'view') OR sql LIKE 'CREATE VIRTUAL%'"
    ).fetchone()
    if found is not None:
        raise RunFolderError(
            f"{path} has the {found['type']} {printable(found['name'])!r}, which no run has: somebody "
            "changed it; use a copy that was not changed"
        )


def _refuse_foreign_files(path: Path) -> None:
    """Refuses files beside a database that would have SQLite touch other files, and a database that needs them.

    A journal may end with the name of a "super-journal" of a transaction over several databases; SQLite deletes the
    file of that name, wherever it is, when it has rolled back. For a database in WAL mode SQLite makes further files.
    """
    journal = path.with_name(path.name + "-journal")
    if journal.is_symlink() or (journal.exists() and not journal.is_file()):
        raise RunFolderError(f"{journal} is no ordinary file: somebody changed it; use a copy that was not changed")
    if _bytes_at(journal, -len(_JOURNAL_MAGIC), os.SEEK_END) == _JOURNAL_MAGIC:
        raise RunFolderError(
            f"{journal} names another file, as no run has it do: somebody changed it; use a copy that was not"
        )
    if _bytes_at(path, _MODES, os.SEEK_SET).startswith(_WAL):
        raise RunFolderError(f"{path} is in WAL mode, which no run uses; put it back: PRAGMA journal_mode = DELETE")


def _bytes_at(path: Path, offset: int, whence: int) -> bytes:
    """Eight bytes of a file; none where they cannot be read, which SQLite will report."""
    with contextlib.suppress(OSError), path.open("rb") as file:
        file.seek(offset, whence)
        return file.read(8)
    return b""


def _may_change(path: Path) -> bool:
    return os.access(path.parent, os.W_OK) or path.with_name(path.name + "-journal").exists()


def _roll_back(path: Path) -> None:
    """Lets SQLite undo what a killed writer had begun; its own locks keep a live writer's work safe."""
    if not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        raise RunFolderError(
            f"{path}: a killed run left a half-finished write ({path.name}-journal), and the folder is read-only; "
            "open it once where it may be written, or copy the whole folder and read the copy"
        )
    with _closed_on_error(path.absolute().as_uri() + "?mode=rw") as connection:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    connection.close()
