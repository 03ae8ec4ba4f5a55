"""A run folder: everything needed to resume, replay, plot and export one run.

runs/dgemm-20261120-1412-a1b2/
  run.db          the log and the source of truth: kernels, proposals, evaluations, samples, events, state
  run.lock        held by the one writer
  config.yaml     the resolved configuration
  machine.json    machine, ceilings, compiler, baseline
  elites/ plots/  made from the log, and makeable again
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from qdkernel._atomic_file import write_atomically
from qdkernel._run_database import create_database, open_readonly, open_writable, transaction, translated
from qdkernel._run_lock import WriterLock
from qdkernel._run_records import (
    RECORD_QUERY,
    Event,
    Record,
    elites,
    evaluation_row,
    insert,
    kernel_of,
    proposal_of,
    proposal_row,
    record_of,
    source_bytes,
    storable,
    timing_of,
    timing_row,
    to_json,
)
from qdkernel.elite_files import write_elite_files
from qdkernel.errors import RunFolderError, UnknownName
from qdkernel.evaluators import Evaluation, Kernel, KernelId, Outcome, Timing
from qdkernel.machine_facts import MachineFacts, machine_facts
from qdkernel.mutators import Proposal

__all__ = ["Event", "MachineFacts", "Record", "RunFolder", "elites", "machine_facts", "write_elites"]

# A reader's lock delays the writer, so readers take their rows in pages; one is read in a few milliseconds.
_PAGE = 200


class RunFolder:
    """A run on disk, opened for reading or as its one writer; made by ``create`` and ``open``, a context manager.

    Every method raises ``RunFolderError`` when the database cannot be used, and the writing ones when the folder was
    opened for reading.
    """

    def __init__(self, path: Path, database: sqlite3.Connection, lock: WriterLock | None) -> None:
        self.path = path
        self._database = database
        self._lock = lock
        self._started = time.monotonic()
        self._elapsed_before_s = self._last_elapsed_s()

    @classmethod
    def create(
        cls, root: Path, problem: str, config_yaml: str, machine: Mapping[str, Any], exact: bool = False
    ) -> RunFolder:
        """A new folder ``<root>/<problem>-YYYYMMDD-HHMM-xxxx`` (local time), open for writing.

        Args:
            root: made when missing.
            problem: registry name.
            config_yaml: the resolved configuration.
            machine: JSON values; what the views read of it is in ``MachineFacts``.
            exact: make the run in ``root`` itself; it may exist, but not hold a run.
        """
        try:
            path = _exact_folder(root) if exact else _new_folder(root, problem)
            (path / "elites").mkdir(exist_ok=True)
            (path / "plots").mkdir(exist_ok=True)
            write_atomically(path / "config.yaml", config_yaml.encode())
            write_atomically(path / "machine.json", (json.dumps(dict(machine), indent=2) + "\n").encode())
        except RunFolderError:
            raise
        except OSError as error:
            raise RunFolderError(
                f"{root}: no run folder can be made there ({error.strerror}); choose another place"
            ) from error
        lock = WriterLock(path / "run.lock")
        try:
            meta = {"problem": problem, "created_at": _now(), "harness": _harness()}
            return cls(path, create_database(path / "run.db", meta), lock)
        except BaseException:
            lock.release()
            raise

    @classmethod
    def open(cls, path: Path, writable: bool = False) -> RunFolder:
        """An existing folder.

        Read-only opening works beside a writer, in a folder one may not write, and after ``kill -9``.

        Args:
            path: the run folder.
            writable: become its one writer, e.g. to resume.
        """
        path = Path(path)
        database = path / "run.db"
        if not path.is_dir():
            kind = "is a file" if path.exists() else "does not exist"
            raise RunFolderError(f"expected a run folder such as runs/dgemm-20261120-1412-a1b2, but {path} {kind}")
        if not database.is_file():
            raise RunFolderError(f"{path} holds no run.db, so it is not a run folder; give one made by `evolve`")
        if not writable:
            return cls(path, open_readonly(database), None)
        lock = WriterLock(path / "run.lock")
        try:
            return cls(path, open_writable(database), lock)
        except BaseException:
            lock.release()
            raise

    def close(self) -> None:
        """Closes the database and lets the next writer in; does nothing the second time."""
        self._database.close()
        if self._lock:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def config_yaml(self) -> str:
        """The resolved configuration, from which a run is resumed."""
        return self._text("config.yaml")

    @property
    def machine(self) -> dict[str, Any]:
        """``machine.json`` as it stands."""
        try:
            data = json.loads(self._text("machine.json"))
        except ValueError as error:
            raise RunFolderError(f"{self.path / 'machine.json'}: expected JSON, but {error}") from error
        if not isinstance(data, dict):
            raise RunFolderError(f"{self.path / 'machine.json'}: expected a JSON object, got {type(data).__name__}")
        return data

    @property
    def facts(self) -> MachineFacts:
        """What the views read of ``machine.json``."""
        try:
            return machine_facts(self.machine)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise RunFolderError(f"{self.path / 'machine.json'}: a value of an unexpected kind: {error}") from error

    @property
    def meta(self) -> dict[str, str]:
        """``problem``, ``created_at`` (UTC, ISO 8601) and ``harness``, the version of qdkernel that measured."""
        return {row["key"]: row["value"] for row in self._rows("SELECT key, value FROM meta ORDER BY key")}

    @property
    def elapsed_s(self) -> float:
        """Seconds the run has been active: earlier sessions, and for a writer this one."""
        session = time.monotonic() - self._started if self._lock else 0.0
        return self._elapsed_before_s + session

    def add_proposal(self, proposal: Proposal) -> int:
        """Commits a proposal and returns its number; until it has an evaluation it counts as in flight."""
        row = {**proposal_row(proposal), "proposed_at": _now()}
        with self._transaction() as database:
            database.execute(
                "INSERT OR IGNORE INTO kernels (id, source) VALUES (?, ?)",
                (proposal.kernel.id, source_bytes(proposal.kernel)),
            )
            return int(database.execute(insert("proposals", row), row).lastrowid or 0)

    def add_evaluation(
        self,
        proposal_id: int,
        evaluation: Evaluation,
        placement: str,
        state: Mapping[str, Any],  # Any: JSON values
    ) -> int:
        """Commits an evaluation with its samples and the state that follows from it, all or nothing.

        Args:
            proposal_id: from ``add_proposal``.
            evaluation: of the proposal's kernel.
            placement: what the archive did with it: ``new``, ``improved``, ``refused`` or ``none``.
            state: JSON values to keep for a resume, by key, e.g. the random generator's.

        Raises:
            ValueError: no such proposal, one evaluated already, or another kernel's evaluation.
        """
        row = {
            **evaluation_row(evaluation),
            "proposal_id": proposal_id,
            "placement": str(placement),
            "finished_at": _now(),
            "elapsed_s": self.elapsed_s,
        }
        with self._transaction() as database:
            self._check_in_flight(proposal_id, evaluation.kernel_id)
            number = int(database.execute(insert("evaluations", row), row).lastrowid or 0)
            for position, timing in enumerate(evaluation.timings):
                sample = {"evaluation_id": number, "position": position, **timing_row(timing)}
                database.execute(insert("samples", sample), sample)
            if evaluation.normal_hash:
                database.execute(
                    "UPDATE kernels SET normal_hash = ? WHERE id = ?", (evaluation.normal_hash, evaluation.kernel_id)
                )
            _put_state(database, state)
        return number

    def add_event(self, kind: str, text: str) -> None:
        """Commits something that happened to the run itself, e.g. ``stop`` with the reason."""
        with self._transaction() as database:
            database.execute(
                "INSERT INTO events (at, kind, text, elapsed_s) VALUES (?, ?, ?, ?)",
                (_now(), kind, storable(text), self.elapsed_s),
            )

    def set_state(self, key: str, value: Any) -> None:  # Any: a JSON value
        """Commits a value to find again on resume."""
        with self._transaction() as database:
            _put_state(database, {key: value})

    def get_state(self, key: str, default: Any = None) -> Any:  # Any: a JSON value
        """The value last committed under ``key``."""
        rows = self._rows("SELECT value FROM state WHERE key = ?", (key,))
        return json.loads(rows[0]["value"]) if rows else default

    def unfinished(self) -> list[tuple[int, Proposal]]:
        """Proposals in flight, oldest first: committed, but not evaluated; a resume evaluates them again."""
        rows = self._rows(
            """SELECT p.*, k.source FROM proposals p JOIN kernels k ON k.id = p.kernel_id
            WHERE NOT EXISTS (SELECT 1 FROM evaluations e WHERE e.proposal_id = p.id) ORDER BY p.id"""
        )
        return [(row["id"], proposal_of(row)) for row in rows]

    def evaluations(self) -> Iterator[Record]:
        """The log: every evaluation in the order of its commit; the archive is a fold over it."""
        last = 0
        while rows := self._rows(RECORD_QUERY, (last, _PAGE)):
            timings = self._timings(last, rows[-1]["id"])
            last = rows[-1]["id"]
            yield from (record_of(row, timings.get(row["id"], ())) for row in rows)

    def num_evaluations(self) -> int:
        """How many evaluations were committed."""
        return int(self._rows("SELECT count(*) AS n FROM evaluations")[0]["n"])

    def counts_by_outcome(self) -> dict[Outcome, int]:
        """How many evaluations ended in each outcome, in the outcomes' order; those that never came are left out."""
        rows = self._rows("SELECT outcome, count(*) AS n FROM evaluations GROUP BY outcome")
        counts = {row["outcome"]: int(row["n"]) for row in rows}
        return {outcome: counts[outcome] for outcome in Outcome if outcome in counts}

    def kernel(self, kernel_id: KernelId) -> Kernel:
        """The kernel with this id.

        Raises:
            UnknownName: the run never saw it.
        """
        rows = self._rows("SELECT source FROM kernels WHERE id = ?", (kernel_id,))
        if not rows:
            raise UnknownName(f"no kernel {kernel_id!r} in {self.path}; ids are 64 hexadecimal digits")
        return kernel_of(rows[0]["source"])

    def events(self) -> list[Event]:
        """What happened to the run itself, oldest first."""
        rows = self._rows("SELECT at, kind, text, elapsed_s FROM events ORDER BY id")
        return [Event(row["at"], row["kind"], row["text"], row["elapsed_s"]) for row in rows]

    def _rows(self, query: str, values: Iterable[Any] = ()) -> list[sqlite3.Row]:
        with translated(self.path / "run.db"):
            return self._database.execute(query, tuple(values)).fetchall()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        if self._lock is None:
            raise RunFolderError(f"{self.path} was opened for reading; open it with writable=True to add to it")
        with translated(self.path / "run.db"), transaction(self._database):
            yield self._database

    def _timings(self, after: int, until: int) -> dict[int, list[Timing]]:
        rows = self._rows(
            "SELECT * FROM samples WHERE evaluation_id > ? AND evaluation_id <= ? ORDER BY evaluation_id, position",
            (after, until),
        )
        timings: dict[int, list[Timing]] = {}
        for row in rows:
            timings.setdefault(row["evaluation_id"], []).append(timing_of(row))
        return timings

    def _check_in_flight(self, proposal_id: int, kernel_id: KernelId) -> None:
        rows = self._rows(
            """SELECT p.kernel_id, e.id AS number FROM proposals p LEFT JOIN evaluations e ON e.proposal_id = p.id
            WHERE p.id = ?""",
            (proposal_id,),
        )
        if not rows:
            raise ValueError(f"expected the number of a proposal of this run, got {proposal_id}")
        if rows[0]["number"] is not None:
            raise ValueError(f"proposal {proposal_id} was evaluated already (evaluation {rows[0]['number']})")
        if rows[0]["kernel_id"] != kernel_id:
            raise ValueError(
                f"proposal {proposal_id} is of kernel {rows[0]['kernel_id'][:12]}, "
                f"but the evaluation is of {kernel_id[:12]}"
            )

    def _last_elapsed_s(self) -> float:
        query = "SELECT max(elapsed_s) AS s FROM (SELECT elapsed_s FROM evaluations UNION SELECT elapsed_s FROM events)"
        return float(self._rows(query)[0]["s"] or 0.0)

    def _text(self, name: str) -> str:
        try:
            return (self.path / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RunFolderError(f"{self.path / name} cannot be read: {error}") from error


def write_elites(folder: RunFolder) -> list[Path]:
    """Makes ``elites/`` hold one C file per filled cell and no other; each is replaced in one step.

    Raises:
        RunFolderError: the folder cannot be written.
    """
    return write_elite_files(folder.evaluations(), folder.facts, folder.path / "elites")


def _put_state(database: sqlite3.Connection, state: Mapping[str, Any]) -> None:
    for key, value in state.items():
        database.execute("INSERT OR REPLACE INTO state (key, value) VALUES (?, ?)", (key, to_json(value)))


def _new_folder(root: Path, problem: str) -> Path:
    Path(root).mkdir(parents=True, exist_ok=True)
    while True:
        name = f"{problem}-{datetime.datetime.now():%Y%m%d-%H%M}-{secrets.token_hex(2)}"
        with contextlib.suppress(FileExistsError):
            os.mkdir(Path(root) / name)
            return Path(root) / name


def _exact_folder(path: Path) -> Path:
    path = Path(path)
    if (path / "run.db").exists():
        raise RunFolderError(f"{path} already holds a run; resume that one, or choose another folder")
    path.mkdir(parents=True, exist_ok=True)
    return path


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _harness() -> str:
    from importlib.metadata import PackageNotFoundError, version  # slow to import, needed once per run

    try:
        return version("qdkernel")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "unknown"
