"""Which content of a run folder is not what this version writes, for folders that other programs have changed.

Reading trusts the folder; this is asked only after reading has failed, to tell a foreign content from a bug.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from qdkernel.core import Outcome
from qdkernel.errors import RunFolderError
from qdkernel.runs.database import open_readonly, translated
from qdkernel.runs.machine_record import read_machine_record

_STORED = {"INTEGER": ("integer",), "REAL": ("real", "integer"), "TEXT": ("text",), "BLOB": ("blob",)}
"""Column type -> storage classes that its values may have."""

_OUTCOMES = tuple(outcome.value for outcome in Outcome)

Check = Callable[[Any], bool]  # Any: parsed JSON


def find_fault(folder: Path) -> str | None:
    """The first unexpected content of a run folder and what was expected; ``None`` when all is as written here.

    Raises:
        RunFolderError: the database cannot be opened, or is not a run of this version.
    """
    record = folder / "machine.json"
    try:
        read_machine_record(record.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return f"{record}: expected the record of a run's machine, but {error}"
    return _fault_of_database(folder / "run.db")


def _fault_of_database(path: Path) -> str | None:
    connection = open_readonly(path)
    try:
        with translated(path):
            for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                for column in connection.execute(f"PRAGMA table_info({table})").fetchall():
                    query = f"SELECT typeof({column['name']}), {column['name']} FROM {table}"
                    for number, (kind, value) in enumerate(connection.execute(query), 1):
                        wrong = _wrong_value(table, column["name"], column["type"], kind, value)
                        if wrong:
                            return f"{path}: {table}.{column['name']}, row {number}: {wrong}"
    finally:
        connection.close()
    return None


def _wrong_value(table: str, column: str, declared: str, kind: str, value: Any) -> str | None:
    if kind == "null":
        return None  # the tables refuse it where it is not allowed
    if kind not in _STORED.get(declared, (kind,)):
        return f"expected {declared.lower()}, got {kind}"
    if column == "elapsed_s" and not math.isfinite(value):
        return f"expected seconds, got {value}"
    if (table, column) == ("evaluations", "outcome") and value not in _OUTCOMES:
        return f"expected one of {', '.join(_OUTCOMES)}, got {str(value)[:60]!r}"
    if (table, column) not in _JSON:
        return None
    expected, check = _JSON[table, column]
    try:
        sound = check(json.loads(value))
    except (ValueError, RecursionError):
        sound = False
    return None if sound else f"expected {expected} as JSON, got {str(value)[:60]!r}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _named(check: Check) -> Check:
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


def _with_keys(*keys: str) -> Check:
    return lambda value: isinstance(value, dict) and set(keys) <= value.keys()


_NUMBERS = ("a list of numbers", _list_of(_is_number))
_SECONDS = ("numbers by name", _named(_is_number))
_CELL = ("four levels", _list_of(_is_integer))
_JSON: Mapping[tuple[str, str], tuple[str, Check]] = {
    ("proposals", "parents"): ("a list of texts", _list_of(_is_text)),
    ("proposals", "target"): _CELL,
    ("proposals", "notes"): ("an object", _with_keys()),
    ("evaluations", "cell"): _CELL,
    ("evaluations", "evidence"): ("texts by name", _named(_is_text)),
    ("evaluations", "proof"): ("a verification", _with_keys("error_ratio", "error_limit", "rule", "calls")),
    ("evaluations", "duel"): ("a duel", _with_keys("kernel_ns", "incumbent_ns", "fault")),
    ("evaluations", "step_s"): _SECONDS,
    ("evaluations", "began_s"): _SECONDS,
    ("samples", "size"): ("integers by name", _named(_is_integer)),
    ("samples", "kernel_ns"): _NUMBERS,
    ("samples", "reference_ns"): _NUMBERS,
    ("conversations", "assignment"): ("an object", _with_keys()),
    ("model_calls", "request"): ("a list of messages", _list_of(_with_keys("role", "content"))),
    ("state", "value"): ("a value", lambda value: True),
}


def foreign_content(folder: Path) -> str | None:
    """``find_fault`` with advice; of a folder that cannot be opened, why."""
    try:
        found = find_fault(folder)
    except RunFolderError as error:
        return str(error)
    return found and f"{found}; this version did not write that: take the folder from a backup"
