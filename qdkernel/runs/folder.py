"""A run folder: everything needed to resume, replay, plot and export one run.

runs/dgemm-20261120-1412-a1b2/
  run.db          the log and the source of truth: kernels, proposals, evaluations, samples and remeasurements,
                  conversations with models, events, state
  run.lock        held by the one writer
  config.yaml     the resolved configuration
  machine.json    machine, peaks, compiler, baseline
  elites/ plots/  made from the log; can be made again

A run on a cluster holds such a folder for each class of machine, see ``machine_classes``.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from qdkernel._version import installed_version
from qdkernel.core import write_atomically
from qdkernel.errors import RunFolderError
from qdkernel.runs.conversations import ConversationLog
from qdkernel.runs.database import create_database, open_readonly, open_writable
from qdkernel.runs.evaluations import EvaluationLog
from qdkernel.runs.events import EventLog
from qdkernel.runs.lock import WriterLock
from qdkernel.runs.machine_classes import single_run
from qdkernel.runs.machine_facts import MachineFacts, machine_facts
from qdkernel.runs.machine_record import MachineRecord, read_machine_record, write_machine_record
from qdkernel.runs.store import RunStore, now
from qdkernel.runs.stored_rows import MetaRow, StateRow
from qdkernel.strict_yaml import parse_yaml

_LONGEST_TEXT = 1 << 20  # bytes of a configuration or record of a machine; they have some 5 kB


class RunFolder:
    """A run on disk, opened for reading or as its one writer; made by ``create`` and ``open``, a context manager.

    All methods, also of its logs, may be called from several threads of the process that opened it. Every one raises
    ``RunFolderError`` when the database cannot be used, and the writing ones when the folder was opened for reading.

    Attributes:
        path: the folder.
        evaluations: proposals, evaluations and remeasurements.
        conversations: with models.
        events: what happened to the run itself.
    """

    def __init__(self, store: RunStore) -> None:
        self.path = store.path
        self.evaluations = EvaluationLog(store)
        self.conversations = ConversationLog(store)
        self.events = EventLog(store)
        self._store = store

    @classmethod
    def create(
        cls, root: Path, problem: str, config_yaml: str, machine: MachineRecord, exact: bool = False
    ) -> RunFolder:
        """A new folder ``<root>/<problem>-YYYYMMDD-HHMM-xxxx`` (local time), open for writing.

        Args:
            root: made when missing.
            problem: registry name.
            config_yaml: the resolved configuration.
            machine: what the run's numbers depend on; what the views read of it is in ``MachineFacts``.
            exact: make the run in ``root`` itself; it may exist, but not hold a run.
        """
        meta = {"problem": problem, "created_at": now(), "harness": installed_version()}
        try:
            path = _exact_folder(root) if exact else new_folder(root, problem)
            _refuse_links(path)
            lock = WriterLock(path / "run.lock")
            try:
                _must_hold_no_run(path)  # another process may have made one there a moment ago
                (path / "elites").mkdir(exist_ok=True)
                (path / "plots").mkdir(exist_ok=True)
                write_atomically(path / "config.yaml", config_yaml.encode())
                write_atomically(path / "machine.json", write_machine_record(machine).encode())
                return cls(RunStore(path, create_database(path / "run.db", meta), lock))
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
            path: the run folder, or that of a run on one class of machine.
            writable: become its one writer, e.g. to resume.
        """
        path = single_run(Path(path))
        database = path / "run.db"
        if not path.is_dir():
            kind = "is a file" if path.exists() else "does not exist"
            raise RunFolderError(f"expected a run folder such as runs/dgemm-20261120-1412-a1b2, but {path} {kind}")
        if not database.is_file():
            raise RunFolderError(
                f"{path} holds no run.db: not a run folder, or one whose run has not begun; give one made by `evolve`"
            )
        for name in ("config.yaml", "machine.json"):
            if (path / name).exists() and not (
                path / name
            ).is_file():  # a pipe would be waited for, a device is endless
                raise RunFolderError(f"{path / name} is no file; put back the file that the run wrote")
        if not writable:
            return cls(RunStore(path, open_readonly(database), None))
        _refuse_links(path)
        lock = WriterLock(path / "run.lock")
        try:
            return cls(RunStore(path, open_writable(database), lock))
        except BaseException:
            lock.release()
            raise

    def close(self) -> None:
        """Closes the database and lets the next writer in; does nothing the second time."""
        self._store.close()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def elapsed_s(self) -> float:
        """Seconds the run has been active: earlier sessions, and for a writer this one."""
        return self._store.elapsed_s

    def subfolder(self, name: str) -> Path:
        """The run's folder ``elites`` or ``plots``, to write to.

        Raises:
            RunFolderError: it is a symbolic link, which would be followed to somewhere else.
        """
        _refuse_link(self.path / name)
        return self.path / name

    @property
    def config_yaml(self) -> str:
        """The resolved configuration, from which a run is resumed."""
        return self._text("config.yaml")

    @property
    def config(self) -> Mapping[str, Any]:  # Any: YAML
        """The entries of the configuration; empty when the file holds no mapping.

        Raises:
            RunFolderError: it is no YAML.
        """
        document = parse_yaml(self.config_yaml)
        if document.faults:
            fault = document.faults[0]
            raise RunFolderError(f"{self.path / 'config.yaml'}:{fault.line}: {fault.text}")
        return document.value if isinstance(document.value, dict) else {}

    @property
    def machine(self) -> MachineRecord:
        """What ``machine.json`` holds."""
        try:
            return read_machine_record(self._text("machine.json"))
        except ValueError as error:
            raise RunFolderError(
                f"{self.path / 'machine.json'}: expected the record of a run's machine (schema 1), but {error}; put "
                "back the file that the run wrote, or start a new run"
            ) from error

    @property
    def facts(self) -> MachineFacts:
        """What the views read of ``machine.json``."""
        return machine_facts(self.machine)

    @property
    def meta(self) -> dict[str, str]:
        """``problem``, ``created_at`` (UTC, ISO 8601) and ``harness``, the version of qdkernel that measured."""
        rows = map(MetaRow.of, self._store.rows("SELECT key, value FROM meta ORDER BY key"))
        return {row.key: row.value for row in rows}

    def get_state(self, key: str, default: Any = None) -> Any:  # Any: a JSON value
        """The value last committed under ``key``."""
        rows = self._store.rows("SELECT value FROM state WHERE key = ?", (key,))
        return StateRow.of(rows[0]).value if rows else default

    def _text(self, name: str) -> str:
        try:
            with (self.path / name).open("rb") as file:
                content = file.read(_LONGEST_TEXT + 1)
            if len(content) > _LONGEST_TEXT:
                raise RunFolderError(f"{self.path / name} is larger than {_LONGEST_TEXT >> 10} KiB; put back the file")
            return content.decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RunFolderError(f"{self.path / name} cannot be read: {error}") from error


def new_folder(root: Path, problem: str) -> Path:
    """A new, empty folder ``<root>/<problem>-YYYYMMDD-HHMM-xxxx`` (local time)."""
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


def _refuse_links(path: Path) -> None:
    """Refuses symbolic links where a writer would follow them out of the folder."""
    for name in ("run.db", "run.db-journal", "run.lock", "elites", "plots"):
        _refuse_link(path / name)


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise RunFolderError(
            f"{path} is a symbolic link; expected a file or folder of the run itself: replace it by what it refers to, "
            "if that is yours"
        )


def _must_hold_no_run(path: Path) -> None:
    if (path / "run.db").exists():
        raise RunFolderError(f"{path} already holds a run; resume that one, or choose another folder")
