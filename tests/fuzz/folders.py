"""Damaged and hostile run folders: how one is made from a seed and a number, and what it is put through.

A case is a copy of a small run in which up to three things are changed: bytes of the database, values in it (also where
the tables forbid them), its schema, the text of ``config.yaml`` or ``machine.json``; or a file is replaced by a link, a
pipe or a folder. It is then read, shown, compared, exported and written to as commands do.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import sqlite3
import struct
from collections.abc import Callable, Iterable
from pathlib import Path

from qdkernel.analysis import compare
from qdkernel.config import check_foreign, load_config
from qdkernel.core import Duel, Fault, Outcome, Placement, Proposal, Provenance, parse_cell
from qdkernel.errors import QdkernelError
from qdkernel.export import FORMATS, Selection, open_source, write_elites
from qdkernel.llm import CallFailed, FailureKind
from qdkernel.reports import show_cell, show_diff, show_run
from qdkernel.reports.run import view_text
from qdkernel.runs import EventKind, RunFolder, elites, runs_in
from qdkernel.search.state import SearchState, load_state
from qdkernel.web import write_report
from tests.fake_runs import add_by_model, add_elite, assignment, breed, kernel, new_run, ok
from tests.fuzz.json_mutations import HOSTILE_NUMBERS, HOSTILE_TEXTS, changed_json

CELL = parse_cell("packed/512/static/near")
KEPT = "not to be touched"
"""What the file outside of the run holds that links refer to."""


def template_run(root: Path) -> Path:
    """A small run with every kind of row in its tables."""
    with new_run(root) as folder:
        breed(folder, 12)
        add_elite(folder, parse_cell("none/scalar/serial/none"), 3.0)
        made = add_by_model(folder, CELL, 70.0, parents=(kernel("number 1").id,))
        number = folder.evaluations.count()
        folder.evaluations.add_remeasurement(number, ok(made, CELL, 71.0))
        folder.evaluations.add_held_out(number, ok(made, CELL, 69.0))
        repaired = Provenance(repair_of=kernel("broken").id, repairs=1, sections={"pitfalls": 1}, shown=(made.id,))
        add_by_model(folder, CELL, 60.0, placement=Placement.NOT_ADDED, provenance=repaired)
        challenger = kernel("challenger")
        duel = Duel(made.id, 1.1, 1.05, 1.2, ((1.0, 1.1),), ((1.2, 1.2),))
        proposal = folder.evaluations.add_proposal(Proposal(challenger, "tune", "wider", (made.id,), CELL))
        folder.evaluations.add(proposal, ok(challenger, CELL, 77.0, duel), Placement.IMPROVED, {"rng": {"state": 7}})
        fault = Fault(Outcome.WRONG, "the result of a timed call is wrong")
        folder.evaluations.retract(kernel("none/scalar/serial/none at 3.0").id, fault)
        conversation = folder.conversations.add(assignment("edit"), "big")
        call = folder.conversations.add_call(conversation, 0, assignment("edit").messages)
        folder.conversations.fail_call(call, CallFailed(FailureKind.SERVER, "HTTP 500", 2))
        folder.evaluations.add_proposal(Proposal(kernel("in flight"), "tune", "waiting", (made.id,), CELL))
        folder.events.add(EventKind.MODEL, "big: HTTP 500")
        return folder.path


# -- changes ----------------------------------------------------------------------------------------------------------

HOSTILE = (None, *HOSTILE_NUMBERS, *HOSTILE_TEXTS, b"", b"\xff\x00", b"x" * 5000)
_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"


def _change_values(rng: random.Random, path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path / "run.db")) as database:
        if rng.random() < 0.5:  # an author of a folder need not keep to what the tables demand
            database.execute("PRAGMA writable_schema = ON")
            database.execute(
                "UPDATE sqlite_schema SET sql = replace(replace(sql, 'NOT NULL', ''), 'CHECK (measurement > 0)', '')"
            )
            database.commit()
    with contextlib.closing(sqlite3.connect(path / "run.db")) as database:
        table = rng.choice([name for (name,) in database.execute(_TABLES)])
        column = rng.choice([row[1] for row in database.execute(f"PRAGMA table_info({table})")])
        values = [value for (value,) in database.execute(f"SELECT {column} FROM {table}")]
        if not values:
            return
        old = rng.choice(values)
        new = rng.choice(HOSTILE)
        if isinstance(old, str) and old[:1] in "[{" and rng.random() < 0.7:
            new = changed_json(rng, old)
        every = rng.random() < 0.2
        condition, given = ("", (new,)) if every else (f"WHERE {column} IS ?", (new, old))
        with contextlib.suppress(sqlite3.Error, OverflowError), database:  # e.g. a key twice
            database.execute(f"UPDATE {table} SET {column} = ? {condition}", given)


def _change_schema(rng: random.Random, path: Path) -> None:
    statement = rng.choice(
        (
            *("CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM kernels; END", "CREATE VIEW v AS SELECT 1"),
            *("DROP TABLE samples", "DROP TABLE state", "DROP TABLE meta", "CREATE TABLE more (x)"),
            *("ALTER TABLE events RENAME COLUMN text TO said", "ALTER TABLE kernels ADD COLUMN more TEXT DEFAULT 'x'"),
            *("DELETE FROM kernels", "DELETE FROM proposals", "DELETE FROM conversations", "DELETE FROM samples"),
            *("DELETE FROM samples WHERE position = 1", "DELETE FROM evaluations WHERE id % 2", "DELETE FROM meta"),
            *("PRAGMA user_version = 3", "PRAGMA application_id = 5", "PRAGMA journal_mode = WAL"),
            "INSERT INTO samples SELECT evaluation_id, measurement + 7, position, size, flops, bytes, block_calls, "
            "ratio, ratio_low, ratio_high, gflops, quiet, bound, '[1.0]', '[1.0]' FROM samples WHERE position = 0",
            "CREATE INDEX i ON events (abs(elapsed_s))",
            "UPDATE evaluations SET id = id + 1000000000000",
            "UPDATE evaluations SET placement = 'improved'",
            "UPDATE evaluations SET outcome = 'ok'",
            "UPDATE proposals SET repair_of = kernel_id",
            "UPDATE proposals SET parents = '[\"' || kernel_id || '\"]'",
        )
    )
    with contextlib.closing(sqlite3.connect(path / "run.db")) as database, contextlib.suppress(sqlite3.Error), database:
        database.execute(statement)


def _change_bytes(rng: random.Random, path: Path) -> None:
    file = path / rng.choice(("run.db", "run.db", "run.db", "machine.json", "config.yaml"))
    data = bytearray(file.read_bytes())
    action = rng.randrange(5)
    if action == 0:
        data = data[: rng.randrange(len(data))]
    elif action == 1:
        data += bytes(rng.randrange(20_000))
    elif action == 2:
        start = rng.randrange(len(data))
        data[start : start + 4096] = bytes(len(data[start : start + 4096]))
    else:
        for _ in range(rng.choice((1, 5, 100))):
            data[rng.randrange(min(len(data), rng.choice((100, len(data)))))] = rng.randrange(256)
    file.write_bytes(bytes(data))


def _change_text(rng: random.Random, path: Path) -> None:
    file = path / rng.choice(("machine.json", "config.yaml"))
    if file.name == "machine.json":
        with contextlib.suppress(ValueError):
            file.write_text(changed_json(rng, file.read_text(errors="replace")), errors="replace")
        return
    key = rng.choice(("problem", "seed", "compiler", "baseline", "budget", "models", "stages", "llm", "evaluators"))
    value = rng.choice(
        (
            *("x", "[]", "{}", "-1", "1e999", "&a [*a]", "!!python/object:os.system {}", "[" * 3000, "'\x1b[2J'"),
            *(
                "{command: ./gcc}",
                "{flags: [-fplugin=x]}",
                "{library: /x.so}",
                "{backend: dask}",
                "../x",
                "environment",
            ),
        )
    )
    file.write_text(file.read_text(errors="replace") + f"{key}: {value}\n")


def _replace_file(rng: random.Random, path: Path, outside: Path) -> None:
    names = ("run.db", "run.db-journal", "run.db-wal", "run.lock", "config.yaml", "machine.json", "elites", "plots")
    there = path / rng.choice(names)
    if there.is_dir() and not there.is_symlink():
        shutil.rmtree(there)
    else:
        there.unlink(missing_ok=True)
    kind = rng.randrange(7)
    if kind == 0:
        there.symlink_to(outside / "file")
    elif kind == 1:
        there.symlink_to(outside)
    elif kind == 2:
        there.symlink_to(rng.choice((there, "/dev/zero", "/dev/full", outside / "missing")))
    elif kind == 3:
        os.mkfifo(there)
    elif kind == 4:
        there.mkdir()
    elif kind == 5:
        there.write_bytes(rng.randbytes(rng.choice((0, 10, 5000))))


def leave_journal(path: Path, named: Path) -> None:
    """A journal of a half-finished transaction that names a file, which SQLite deletes when it has rolled back.

    https://www.sqlite.org/fileformat.html, section 3: the name of a super-journal ends a journal, in place of the page
    that a database never has.
    """
    name, magic, sector, page = os.fsencode(named), bytes.fromhex("d9d505f920a163d7"), 512, 4096
    database = path / "run.db"
    pages = database.stat().st_size // page if database.exists() else 1
    head = magic + struct.pack(">IIIII", 0, 0, pages, sector, page)
    tail = struct.pack(">I", 0x40000000 // page + 1) + name + struct.pack(">II", len(name), sum(name)) + magic
    (path / "run.db-journal").write_bytes(head.ljust(sector, b"\0") + tail)


def make_folder(seed: int, number: int, template: Path, place: Path) -> Path:
    """The folder of a case, in ``place``, which is emptied; ``place / 'outside'`` is what links refer to.

    Args:
        seed: of the campaign.
        number: from 0.
        template: from ``template_run``.
        place: a folder of its own.
    """
    rng = random.Random(f"{seed}/{number}")
    shutil.rmtree(place, ignore_errors=True)
    outside, path = place / "outside", place / "runs" / template.name
    outside.mkdir(parents=True)
    (outside / "file").write_text(KEPT)
    shutil.copytree(template, path)
    changes: tuple[Callable[[], None], ...] = (
        *(lambda: _change_values(rng, path),) * 6,
        *(lambda: _change_schema(rng, path),) * 2,
        *(lambda: _change_text(rng, path),) * 2,
        lambda: _change_bytes(rng, path),
    )
    for change in rng.choices(changes, k=rng.randint(0, 3)):
        with contextlib.suppress(sqlite3.Error, ValueError):  # of a file that is damaged already
            change()
    if rng.random() < 0.2:
        _replace_file(rng, path, outside)
    elif rng.random() < 0.05:
        leave_journal(path, outside / "file")
    return path


# -- what a folder is put through -------------------------------------------------------------------------------------


def _read(path: Path, out: Path) -> None:
    with RunFolder.open(path) as folder:
        records = list(folder.evaluations.records())
        elites(records)
        folder.evaluations.unfinished()
        folder.events.all()
        list(folder.conversations.all())
        folder.conversations.bills()
        folder.conversations.failures()
        assert folder.facts.threads > 0
        assert isinstance(folder.meta, dict)
        load_state(folder, SearchState)


def _show(path: Path, out: Path) -> None:
    with RunFolder.open(path) as folder:
        text = view_text(show_run(folder))
        for cell in list(elites(folder.evaluations.records()))[:2]:
            text += view_text(show_cell(folder, cell))
    assert all(char.isprintable() or char in "\n\t" for char in text)


def _compare(path: Path, out: Path) -> None:
    with RunFolder.open(path) as first, RunFolder.open(path) as second:
        view_text(show_diff(compare(first, second)))


def _report(path: Path, out: Path) -> None:
    write_report(runs_in(path), out / "report.html")


def _export(path: Path, out: Path) -> None:
    with open_source([path], Selection(unchecked=True)) as source:
        for name in ("jsonl", "trl-sft", "trl-dpo", "steps", "trajectories", "repairs", "t4", "harbor", "c", "library"):
            FORMATS[name].write(source, out / (name + {"jsonl": ".jsonl", "t4": ".json"}.get(name, "")))


def _configure(path: Path, out: Path) -> None:
    with RunFolder.open(path) as folder:
        check_foreign(load_config(folder.path / "config.yaml", files_must_exist=False), (), path)


def _write(path: Path, out: Path) -> None:
    with RunFolder.open(path, writable=True) as folder:
        folder.events.add(EventKind.STOPPED, "fuzzed")
        write_elites(folder)


USES: dict[str, Callable[[Path, Path], None]] = {
    "read": _read,
    "show": _show,
    "compare": _compare,
    "report": _report,
    "export": _export,
    "configure": _configure,
    "write": _write,
}


def uses_of(number: int) -> tuple[str, ...]:
    """What a case is put through: all cheap uses, and one of the others."""
    others = ("compare", "report", "export")
    return "read", "show", "configure", "write", others[number % len(others)]


def judge_folder(path: Path, out: Path, names: Iterable[str]) -> dict[str, str]:
    """What came of each use of a case's folder: ``done``, or the message of an error that a user is told.

    Any other exception is a finding, and so is a file outside of the run that is not as it was.

    Args:
        path: from ``make_folder``.
        out: for reports and exports; emptied.
        names: keys of ``USES``.
    """
    found = {}
    for name in names:
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        try:
            USES[name](path, out)
            found[name] = "done"
        except QdkernelError as error:
            found[name] = str(error)
    outside = path.parent.parent / "outside"
    assert [each.name for each in outside.iterdir()] == ["file"], "something was written outside of the run"
    assert (outside / "file").read_text() == KEPT, "a file outside of the run was changed"
    return found
