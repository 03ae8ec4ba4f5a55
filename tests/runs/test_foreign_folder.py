"""A run folder from somebody else: links are not followed, nothing in its database runs, ids belong to sources."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from qdkernel.errors import RunFolderError
from qdkernel.runs import RunFolder, elites
from tests.fake_runs import CONFIG, RECORD, breed, new_run


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
