"""A run folder: everything needed to resume, replay, plot and export one run.

runs/dgemm-20261120-1412-a1b2/
  run.db          the log and the source of truth: kernels, proposals, evaluations, samples and further looks,
                  conversations with models, events, state
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
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from qdkernel._atomic_file import write_atomically
from qdkernel._run_conversation_records import Bill, End, Ended, Spending, StoredCall, StoredConversation
from qdkernel._run_conversations import ConversationLog
from qdkernel._run_database import create_database, open_readonly, open_writable
from qdkernel._run_lock import WriterLock
from qdkernel._run_records import (
    RECORD_QUERY,
    Event,
    Looks,
    Record,
    elites,
    evaluation_row,
    insert,
    kernel_of,
    proposal_of,
    record_of,
    storable,
    timing_of,
    timing_row,
)
from qdkernel._run_store import insert_proposal, insert_row, now, put_state
from qdkernel.elite_files import write_elite_files
from qdkernel.errors import RunFolderError, UnknownName
from qdkernel.evaluators import Evaluation, Kernel, KernelId, Outcome, Timing
from qdkernel.machine_facts import MachineFacts, machine_facts
from qdkernel.mutators import Proposal

__all__ = [
    "Bill",
    "End",
    "Ended",
    "Event",
    "MachineFacts",
    "Record",
    "RunFolder",
    "Spending",
    "StoredCall",
    "StoredConversation",
    "elites",
    "machine_facts",
    "write_elites",
]

# A reader's lock delays the writer, so readers take their rows in pages; one is read in a few milliseconds.
_PAGE = 200


class RunFolder(ConversationLog):
    """A run on disk, opened for reading or as its one writer; made by ``create`` and ``open``, a context manager.

    All methods may be called from several threads of the process that opened it. Every one raises ``RunFolderError``
    when the database cannot be used, and the writing ones when the folder was opened for reading.
    """

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
        meta = {"problem": problem, "created_at": now(), "harness": _harness()}
        try:
            path = _exact_folder(root) if exact else _new_folder(root, problem)
            lock = WriterLock(path / "run.lock")
            try:
                _must_hold_no_run(path)  # another process may have made one there a moment ago
                (path / "elites").mkdir(exist_ok=True)
                (path / "plots").mkdir(exist_ok=True)
                write_atomically(path / "config.yaml", config_yaml.encode())
                write_atomically(path / "machine.json", (json.dumps(dict(machine), indent=2) + "\n").encode())
                return cls(path, create_database(path / "run.db", meta), lock)
            except BaseException:
                lock.release()
                raise
        except RunFolderError:
            raise
        except OSError as error:
            raise RunFolderError(
                f"{root}: no run folder can be made there ({error.strerror}); choose another place"
            ) from error

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
            raise RunFolderError(
                f"{path} holds no run.db: not a run folder, or one whose run has not begun; give one made by `evolve`"
            )
        if not writable:
            return cls(path, open_readonly(database), None)
        lock = WriterLock(path / "run.lock")
        try:
            return cls(path, open_writable(database), lock)
        except BaseException:
            lock.release()
            raise

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

    def add_proposal(self, proposal: Proposal) -> int:
        """Commits a proposal and returns its number; until it has an evaluation it counts as in flight."""
        with self._transaction() as database:
            return insert_proposal(database, proposal, None)

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
            "finished_at": now(),
            "elapsed_s": self.elapsed_s,
        }
        with self._transaction() as database:
            self._check_in_flight(proposal_id, evaluation.kernel_id)
            number = insert_row(database, "evaluations", row)
            _insert_samples(database, number, 0, evaluation.timings)
            if evaluation.normal_hash:
                database.execute(
                    "UPDATE kernels SET normal_hash = ? WHERE id = ?", (evaluation.normal_hash, evaluation.kernel_id)
                )
            put_state(database, state)
        return number

    def add_look(self, number: int, evaluation: Evaluation) -> int:
        """Commits another timing of a kernel that was evaluated before and returns its number, from 1.

        Args:
            number: of the record.
            evaluation: a later one of the same kernel; its objective and timings are kept.

        Raises:
            ValueError: no such record, one that is not ``ok``, another kernel's evaluation, or one that is not ``ok``.
        """
        if evaluation.outcome is not Outcome.OK or evaluation.objective is None:
            raise ValueError(f"a look is an evaluation that ended ok, with an objective; got {evaluation.outcome}")
        with self._transaction() as database:
            self._check_timed(number, evaluation.kernel_id)
            query = "SELECT count(*) AS n FROM looks WHERE evaluation_id = ?"
            look = 1 + int(self._rows(query, (number,))[0]["n"])
            row = {"evaluation_id": number, "look": look, "objective": float(evaluation.objective), "looked_at": now()}
            insert_row(database, "looks", row)
            _insert_samples(database, number, look, evaluation.timings)
        return look

    def add_event(self, kind: str, text: str) -> None:
        """Commits something that happened to the run itself, e.g. ``stop`` with the reason."""
        with self._transaction() as database:
            database.execute(
                "INSERT INTO events (at, kind, text, elapsed_s) VALUES (?, ?, ?, ?)",
                (now(), kind, storable(text), self.elapsed_s),
            )

    def set_state(self, key: str, value: Any) -> None:  # Any: a JSON value
        """Commits a value to find again on resume."""
        with self._transaction() as database:
            put_state(database, {key: value})

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
        """The log: every evaluation in the order of its commit; the archive is a fold over it.

        A kernel that was timed again has objective and timings of its best look, the one with the highest objective:
        what disturbs a host only ever slows a kernel down, so the fastest look is the closest to the truth.
        """
        last = 0
        while rows := self._rows(RECORD_QUERY, (last, _PAGE)):
            first, last = last, rows[-1]["id"]
            looks = self._looks(first, last)  # before the samples: those of a look that is seen here are there
            used = {row["id"]: looks[row["id"]].used(row["objective"]) for row in rows}
            timings = self._timings(first, last, used)
            yield from (record_of(row, timings[row["id"]], looks[row["id"]]) for row in rows)

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

    def _looks(self, after: int, until: int) -> Mapping[int, Looks]:
        rows = self._rows(
            # with max() SQLite takes the other columns from the row that holds the maximum
            """SELECT evaluation_id, count(*) AS n, look, max(objective) AS objective FROM looks
            WHERE evaluation_id > ? AND evaluation_id <= ? GROUP BY evaluation_id""",
            (after, until),
        )
        found = {row["evaluation_id"]: Looks(row["n"], row["look"], row["objective"]) for row in rows}
        return defaultdict(Looks, found)

    def _timings(self, after: int, until: int, used: Mapping[int, int]) -> Mapping[int, list[Timing]]:
        """Timings of a page of evaluations, each from the look that is used."""
        rows = self._rows(
            "SELECT * FROM samples WHERE evaluation_id > ? AND evaluation_id <= ? ORDER BY evaluation_id, position",
            (after, until),
        )
        timings: dict[int, list[Timing]] = defaultdict(list)
        for row in rows:
            if row["look"] == used.get(row["evaluation_id"]):
                timings[row["evaluation_id"]].append(timing_of(row))
        return timings

    def _check_timed(self, number: int, kernel_id: KernelId) -> None:
        rows = self._rows("SELECT kernel_id, outcome FROM evaluations WHERE id = ?", (number,))
        if not rows:
            raise ValueError(f"expected the number of a record of this run, got {number}")
        if rows[0]["outcome"] != Outcome.OK:
            raise ValueError(f"record {number} ended {rows[0]['outcome']}; only a kernel that was ok is timed again")
        if rows[0]["kernel_id"] != kernel_id:
            raise ValueError(
                f"record {number} is of kernel {rows[0]['kernel_id'][:12]}, but the look is at {kernel_id[:12]}"
            )

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


def _insert_samples(database: sqlite3.Connection, number: int, look: int, timings: Iterable[Timing]) -> None:
    for position, timing in enumerate(timings):
        row = {"evaluation_id": number, "look": look, "position": position, **timing_row(timing)}
        database.execute(insert("samples", row), row)


def _new_folder(root: Path, problem: str) -> Path:
    Path(root).mkdir(parents=True, exist_ok=True)
    while True:
        name = f"{problem}-{datetime.datetime.now():%Y%m%d-%H%M}-{secrets.token_hex(2)}"
        with contextlib.suppress(FileExistsError):
            os.mkdir(Path(root) / name)
            return Path(root) / name


def _exact_folder(path: Path) -> Path:
    path = Path(path)
    _must_hold_no_run(path)
    path.mkdir(parents=True, exist_ok=True)
    return path


def _must_hold_no_run(path: Path) -> None:
    if (path / "run.db").exists():
        raise RunFolderError(f"{path} already holds a run; resume that one, or choose another folder")


def _harness() -> str:
    from importlib.metadata import PackageNotFoundError, version  # slow to import, needed once per run

    try:
        return version("qdkernel")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "unknown"
