"""What comes from outside ends in one message and exit code 1: streams, limits, files of other kinds, foreign runs."""

from __future__ import annotations

import json
import os
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from qdkernel.core import Cell
from qdkernel.runs import RunFolder
from tests.evolving import BUSY, as_arguments
from tests.fake_runs import CONFIG, RECORD, add_elite
from tests.paths import CASES

KERNEL = str(CASES / "kernels" / "h00_quoted.c")
SMALL = shlex.join(["--problem", "dgemm", *as_arguments(("sizes=[48]", *BUSY))])


def make_run(parent: Path) -> Path:
    """A run folder with three elites."""
    with RunFolder.create(parent / "run", "dgemm", CONFIG, RECORD, exact=True) as folder:
        for level, gflops in enumerate((10.0, 20.0, 30.0)):
            add_elite(folder, Cell(level, level, 0, 0), gflops)
        return folder.path


@pytest.fixture(scope="module", autouse=True)
def built() -> None:
    """The project's own C, built before a test limits what may be written or opened."""
    assert shell(f"$Q check {KERNEL} {SMALL}").returncode == 0


def shell(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a shell script in which ``$Q`` is the command."""
    env = {**os.environ, "Q": f"{sys.executable} -m qdkernel", **environment}
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, env=env, timeout=120)


def test_a_message_shows_hostile_names_and_obeys_none_of_them(tmp_path: Path) -> None:
    done = shell(f"""$Q show {tmp_path}/"$(printf 'a\\033]0;owned\\007\\342\\200\\256b')" """)
    assert done.returncode == 1
    assert "a\ufffd]0;owned\ufffd\ufffdb does not exist" in done.stderr
    assert all(char.isprintable() or char == "\n" for char in done.stderr)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("$Q --version >&-", "standard output is closed; redirect it"),
        ("$Q --version > /dev/full", "free some space on the disk"),
        ("$Q config schema > /dev/full", "free some space on the disk"),
        ("$Q check /dev/zero --problem dgemm", "/dev/zero is a device; expected a C file"),
        ("$Q check /dev --problem dgemm", "/dev is a folder; expected a C file"),
        (f"ulimit -f 8; $Q check {KERNEL} {SMALL}", "raise the limit on file sizes (ulimit -f)"),
        (f"ulimit -n 12; $Q check {KERNEL} {SMALL}", "raise the limit on open files (ulimit -n)"),
    ],
)
def test_what_the_host_refuses_is_one_message(script: str, said: str) -> None:
    done = shell(script)
    assert done.returncode == 1, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 3


def test_a_pipe_without_a_writer_is_no_kernel(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "kernel.c")
    done = shell(f"$Q check {tmp_path / 'kernel.c'} --problem dgemm")
    assert (done.returncode, "is a pipe; expected a C file" in done.stderr) == (1, True), done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_an_output_that_lacks_characters_shows_the_others(encoding: str, tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    done = shell(f"$Q show {folder}", PYTHONIOENCODING=f"{encoding}:strict")
    assert done.returncode == 0, done.stderr
    assert "GFLOP/s" in done.stdout
    assert "Traceback" not in done.stderr


def foreign_database(folder: Path, statement: str) -> None:
    database = sqlite3.connect(folder / "run.db")
    with database:
        database.execute(statement)
    database.close()


@pytest.mark.parametrize("command", ["show", "export --to jsonl"])
def test_foreign_content_of_a_database_is_named(command: str, tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    foreign_database(folder, "UPDATE samples SET size = '[]'")
    verb, *options = command.split()
    done = shell(f"$Q {verb} {folder} {' '.join(options)} > /dev/null")
    assert done.returncode == 1
    assert "run.db: samples.size, row 1: Input should be a valid dictionary, got '[]'; it was changed" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_foreign_machine_facts_are_named(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    facts = json.loads((folder / "machine.json").read_text())
    facts["peaks"] = {"peak_gflops": {facts["dtype"]: {"1": ["fast"]}}}
    (folder / "machine.json").write_text(json.dumps(facts))
    done = shell(f"$Q report {folder} --out {tmp_path / 'page.html'}")
    assert done.returncode == 1, done.stderr
    assert "machine.json: " in done.stderr
    assert "Traceback" not in done.stderr
