"""A run folder from somebody else: links are not followed, nothing in its database runs, ids belong to sources."""

from __future__ import annotations

import os
import re
import sqlite3
from pathlib import Path

import pytest

from qdkernel.errors import RunFolderError
from qdkernel.plots import plot_run
from qdkernel.runs import RunFolder, elites
from tests.fake_runs import CONFIG, RECORD, breed, new_run
from tests.fuzz.folders import leave_journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with new_run(tmp_path / "runs") as folder:
        breed(folder, 3)
        return folder.path


def change(path: Path, statement: str, *values: object) -> None:
    database = sqlite3.connect(path / "run.db")
    database.execute(statement, values)
    database.commit()
    database.close()


@pytest.mark.parametrize("name", ["run.lock", "run.db", "elites", "plots"])
def test_a_link_in_a_folder_is_refused_and_what_it_refers_to_stays(name: str, path: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    if (path / name).is_dir():
        (path / name).rmdir()
        elsewhere.mkdir()
    else:
        (path / name).rename(elsewhere) if name == "run.db" else (path / name).unlink()
        if name == "run.lock":
            elsewhere.write_text("mine")
    (path / name).symlink_to(elsewhere)
    with pytest.raises(RunFolderError, match=f"{name} is a symbolic link; expected a file or folder of the run itself"):
        RunFolder.open(path, writable=True)
    assert name != "run.lock" or elsewhere.read_text() == "mine"
    assert not elsewhere.is_dir() or list(elsewhere.iterdir()) == []


def test_a_reader_that_draws_pictures_follows_no_link_either(path: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (path / "plots").rmdir()
    (path / "plots").symlink_to(tmp_path / "elsewhere")
    with RunFolder.open(path) as folder, pytest.raises(RunFolderError, match="plots is a symbolic link"):
        plot_run(folder)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_run_is_not_made_in_a_folder_whose_lock_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.lock").symlink_to(tmp_path / "mine")
    with pytest.raises(RunFolderError, match="is a symbolic link"):
        RunFolder.create(tmp_path / "run", "dgemm", CONFIG, RECORD, exact=True)
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.parametrize("writable", [False, True])
@pytest.mark.parametrize(
    ("kind", "statement"),
    [
        ("trigger", "CREATE TRIGGER t AFTER INSERT ON events BEGIN DELETE FROM kernels; END"),
        ("view", "CREATE VIEW t AS SELECT * FROM kernels"),
    ],
)
def test_a_trigger_or_a_view_in_the_database_is_refused(kind: str, statement: str, writable: bool, path: Path) -> None:
    change(path, statement)
    with pytest.raises(RunFolderError, match=f"has the {kind} 't', which no run has"):
        RunFolder.open(path, writable=writable)


def test_a_source_that_is_not_the_one_its_id_is_the_hash_of_is_refused(path: Path) -> None:
    change(path, "UPDATE kernels SET source = CAST(? AS BLOB)", "int dgemm;")
    with RunFolder.open(path) as folder, pytest.raises(RunFolderError, match="the source stored for kernel"):
        elites(folder.evaluations.records())


def read_whole(path: Path) -> None:
    with RunFolder.open(path) as folder:
        list(folder.evaluations.records())
        folder.events.all()
        folder.get_state("rng")
        assert folder.meta


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE samples SET gflops = x'ff'", "samples.gflops, row 1: Input should be a valid number"),
        (
            "UPDATE samples SET gflops = -1.0",
            "samples.gflops, row 1: Value error, expected a positive number, got '-1.0'",
        ),
        ("UPDATE samples SET kernel_ns = '[1.0]'", "samples, row 1: 1 blocks of the kernel, but 3 of the reference"),
        ("UPDATE samples SET measurement = 7 WHERE position = 1", "row 1: its measurements have different sizes"),
        ("UPDATE samples SET size = '{\"m\": 9}' WHERE position = 1", "row 1: its sizes have different names"),
        ("DELETE FROM samples", "row 1: the kernel ended ok, but has no cell, no speed or no samples"),
        ("UPDATE evaluations SET evidence = 'null'", "evaluations.evidence, row 1: Input should be a valid dictionary"),
        ("UPDATE evaluations SET outcome = 'fine'", "evaluations.outcome, row 1: Input should be 'ok', "),
        ("UPDATE evaluations SET outcome = 'wrong'", "row 1: the kernel took a cell, but ended wrong"),
        ("UPDATE evaluations SET elapsed_s = 1e999", "evaluations.elapsed_s: Input should be a finite number"),
        ("UPDATE evaluations SET cell = '[0, 0, 0, 9]'", "expected a level of prefetch below 4, got 9"),
        ("UPDATE proposals SET parents = '{{'", "evaluations.parents, row 1: Value error, expected JSON, got '{{'"),
        ("UPDATE proposals SET conversation_id = 5", "row 1: it is from conversation 5, which is not there"),
        ("UPDATE state SET value = '{'", "state.value: Value error, expected JSON"),
        ("UPDATE meta SET value = x'ff'", "meta.value: Input should be a valid string"),
        ("UPDATE events SET kind = 'x'", "events.kind: Input should be 'stopped'"),
    ],
)
def test_every_value_is_checked_as_it_is_read(statement: str, said: str, path: Path) -> None:
    change(path, statement)
    with pytest.raises(RunFolderError, match=re.escape(said)):
        read_whole(path)


def test_a_journal_that_names_another_file_is_refused_and_the_file_stays(path: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    leave_journal(path, mine)
    for writable in (False, True):
        with pytest.raises(RunFolderError, match=r"run\.db-journal names another file, as no run has it do"):
            RunFolder.open(path, writable=writable)
    assert mine.read_text() == "mine"


def test_the_refused_journal_would_have_sqlite_delete_the_file(path: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    leave_journal(path, mine)
    change(path, "DELETE FROM state")
    assert not mine.exists()


@pytest.mark.parametrize("writable", [False, True])
def test_a_journal_that_is_a_link_and_wal_mode_are_refused(writable: bool, path: Path, tmp_path: Path) -> None:
    (path / "run.db-journal").symlink_to(tmp_path / "missing")
    with pytest.raises(RunFolderError, match=r"run\.db-journal is (no ordinary file|a symbolic link)"):
        RunFolder.open(path, writable=writable)
    (path / "run.db-journal").unlink()
    change(path, "PRAGMA journal_mode = WAL")
    with pytest.raises(RunFolderError, match=r"run\.db is in WAL mode, which no run uses"):
        RunFolder.open(path, writable=writable)


@pytest.mark.parametrize("name", ["config.yaml", "machine.json"])
def test_a_pipe_in_place_of_a_file_is_not_waited_for(name: str, path: Path) -> None:
    (path / name).unlink()
    os.mkfifo(path / name)
    with pytest.raises(RunFolderError, match=rf"{name} is no file; put back the file that the run wrote"):
        RunFolder.open(path)
