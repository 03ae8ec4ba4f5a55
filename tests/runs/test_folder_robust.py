"""The run folder among others: several processes, a kill at any moment, damaged and foreign files."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from qdkernel.core import parse_cell
from qdkernel.errors import RunFolderError
from qdkernel.runs import EventKind, RunFolder
from tests.fake_runs import CONFIG, RECORD, add_elite, breed, new_run
from tests.paths import ROOT as REPOSITORY

CELL = parse_cell("packed/512/static/near")


def test_a_reader_finds_the_database_of_a_new_run_whole_or_not_at_all(tmp_path: Path) -> None:
    runs = [tmp_path / str(number) for number in range(20)]

    def make() -> None:
        for run in runs:
            RunFolder.create(run, "dgemm", CONFIG, RECORD, exact=True).close()

    maker = threading.Thread(target=make)
    maker.start()
    for run in runs:
        while not (run / "run.db").exists() and maker.is_alive():
            pass
        with RunFolder.open(run) as reader:
            assert reader.evaluations.count() == 0
            assert reader.config_yaml == CONFIG
    maker.join()


def test_a_start_that_was_killed_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / ".run.db.new").write_bytes(b"SQLite format 3\0 and no more")
    with RunFolder.create(tmp_path, "dgemm", CONFIG, RECORD, exact=True) as folder:
        assert folder.evaluations.count() == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        *("config.yaml", "machine.json", "run.db", "run.lock", "elites", "plots")
    }


def test_of_two_that_make_a_run_in_one_folder_the_second_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RunFolder.create(tmp_path, "dgemm", CONFIG, RECORD, exact=True):
        monkeypatch.setattr(Path, "exists", lambda path: False)  # the second looked before the first was done
        with pytest.raises(RunFolderError, match="is being written by process"):
            RunFolder.create(tmp_path, "dgemm", "problem: another\n", RECORD, exact=True)
    assert (tmp_path / "config.yaml").read_text() == CONFIG


def test_a_second_writer_is_told_who_the_first_is(tmp_path: Path) -> None:
    with (
        new_run(tmp_path) as folder,
        pytest.raises(RunFolderError, match=rf"being written by process {os.getpid()} on .*: a run has one writer"),
    ):
        RunFolder.open(folder.path, writable=True)
    RunFolder.open(folder.path, writable=True).close()


def test_a_reader_may_not_write(tmp_path: Path) -> None:
    new_run(tmp_path).close()
    [path] = tmp_path.iterdir()
    with (
        RunFolder.open(path) as reader,
        pytest.raises(RunFolderError, match="opened for reading; open it with writable"),
    ):
        reader.events.add(EventKind.MODEL, "no")


def test_readers_and_the_writer_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with new_run(tmp_path) as writer:
        add_elite(writer, CELL, 5.0)
        with RunFolder.open(writer.path) as reader:
            rows = reader.evaluations.records()
            assert next(rows).number == 1
            add_elite(writer, CELL, 6.0)  # would wait a minute if the reader kept its lock between pages
            assert [record.number for record in rows] == [2]


def test_a_folder_without_write_rights_can_be_read(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        add_elite(folder, CELL, 5.0)
    for name in ("run.db", "run.lock"):
        (folder.path / name).chmod(0o444)
    folder.path.chmod(0o555)
    try:
        with RunFolder.open(folder.path) as reader:
            assert reader.evaluations.count() == 1
    finally:
        folder.path.chmod(0o755)


def test_a_path_with_odd_characters_can_be_opened(tmp_path: Path) -> None:
    with new_run(tmp_path / "100% odd? #1 ünï") as folder:
        add_elite(folder, CELL, 5.0)
    with RunFolder.open(folder.path) as reader:
        assert reader.evaluations.count() == 1


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _not_a_database(path: Path) -> None:
    path.write_bytes(b"once upon a time " * 100)


def _cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _cut_in_the_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:60])


def _newer(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()


def _older(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 1")
    database.close()


def _someone_elses(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE songs (title TEXT)")
    database.close()


@pytest.mark.parametrize("writable", [False, True])
@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_empty, r"run.db is empty: nothing of the run is left; take a copy from a backup or start a new one"),
        (_not_a_database, r"expected the SQLite database of a run, got another kind of file"),
        (_cut_short, r"damaged or cut short; take a copy from a backup"),
        (_cut_in_the_header, r"expected the SQLite database of a run|damaged or cut short"),
        (_newer, r"made by a newer qdkernel \(schema 99; this one reads 8\); install that version"),
        (
            _older,
            r"made by an earlier development version of qdkernel \(schema 1; .* cannot be read by this one; start",
        ),
        (_someone_elses, r"is an SQLite database, but not that of a run"),
        (Path.unlink, r"holds no run.db: not a run folder, or one whose run has not begun"),
    ],
)
def test_a_damaged_folder_is_told_apart(tmp_path: Path, damage: object, message: str, writable: bool) -> None:
    with new_run(tmp_path) as folder:
        breed(folder, 30)
    assert callable(damage)
    damage(folder.path / "run.db")
    with pytest.raises(RunFolderError, match=message):
        RunFolder.open(folder.path, writable)


def test_what_is_not_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"expected a run folder such as .* but .*nowhere does not exist"):
        RunFolder.open(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match=r"expected a run folder such as .* but .*file is a file"):
        RunFolder.open(tmp_path / "file")
    with pytest.raises(RunFolderError, match=r"no run folder can be made there"):
        new_run(tmp_path / "file" / "runs")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "but the file: Invalid JSON"),
        ("[]", "but the file: Input should be an object, got "),
        ('{"threads": "many"}', r"threads: Input should be a valid integer.*, got 'many'"),
    ],
)
def test_a_broken_machine_file_is_told(tmp_path: Path, text: str, message: str) -> None:
    with new_run(tmp_path) as folder:
        (folder.path / "machine.json").write_text(text)
        with pytest.raises(
            RunFolderError, match=rf"(?s)machine.json: expected the record .*{message}.*; put back the file"
        ):
            _ = folder.facts


HALF_DONE = """
import os, signal, sqlite3, sys
database = sqlite3.connect(sys.argv[1] + "/run.db", isolation_level=None)
database.execute("PRAGMA cache_size = 1")  # forces pages of the open transaction into the file
database.execute("BEGIN IMMEDIATE")
database.execute("UPDATE evaluations SET detail = 'never committed'")
for number in range(300):
    database.execute("INSERT INTO events (at, kind, text, elapsed_s) VALUES ('', 'x', ?, 0)", ("x" * 4000,))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("writable", [False, True])
def test_a_half_finished_write_of_a_killed_writer_is_undone(tmp_path: Path, writable: bool) -> None:
    with new_run(tmp_path) as folder:
        breed(folder, 10)
        before = list(folder.evaluations.records())
    child = subprocess.run([sys.executable, "-c", HALF_DONE, folder.path], check=False, cwd=REPOSITORY)
    assert child.returncode == -signal.SIGKILL
    assert (folder.path / "run.db-journal").stat().st_size > 0
    with RunFolder.open(folder.path, writable) as again:
        assert list(again.evaluations.records()) == before


def test_a_half_finished_write_in_a_read_only_folder_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with new_run(tmp_path) as folder:
        breed(folder, 10)
    subprocess.run([sys.executable, "-c", HALF_DONE, folder.path], check=False, cwd=REPOSITORY)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # the tests may run as root, whom rights do not stop
    with pytest.raises(
        RunFolderError, match=r"half-finished write \(run.db-journal\), and the folder is read-only; open it"
    ):
        RunFolder.open(folder.path)


WRITER = """
import sys
from pathlib import Path
from qdkernel.core import Placement, Proposal, parse_cell
from tests.fake_runs import kernel, new_run, ok
folder = new_run(Path(sys.argv[1]))
print(folder.path, flush=True)
for number in range(1_000_000):
    subject = kernel(str(number))
    proposal = folder.evaluations.add_proposal(Proposal(subject, "schedule", f"idea {number}"))
    done = ok(subject, parse_cell("packed/512/static/near"), 1.0 + number)
    print(folder.evaluations.add(proposal, done, Placement.NOT_ADDED, {"number": number}), flush=True)
"""


@pytest.mark.parametrize("attempt", range(3))
def test_kill_9_loses_no_committed_evaluation(tmp_path: Path, attempt: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    ) as child:
        assert child.stdout is not None
        path = Path(child.stdout.readline().strip())
        child.stdout.readline()
        time.sleep(random.uniform(0.0, 0.2))  # any moment will do; the claim holds for every one
        child.kill()
        printed = [1, *(int(line) for line in child.stdout.read().splitlines(keepends=True) if line.endswith("\n"))]
    with RunFolder.open(path) as reader:
        found = {record.number: record for record in reader.evaluations.records()}
    assert set(printed) <= set(found)
    with RunFolder.open(path, writable=True) as again:
        assert again.evaluations.count() + len(again.evaluations.unfinished()) <= len(printed) + 2
        assert again.get_state("number") == found[max(found)].evaluation.timings[1].gflops - 1.0
        assert [len(record.evaluation.timings) for record in found.values()] == [2] * len(found)
    with sqlite3.connect(path / "run.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    database.close()
