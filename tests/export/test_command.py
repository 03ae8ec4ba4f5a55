"""``qdkernel export`` as a user types it."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import subprocess
from pathlib import Path

import pytest

from qdkernel.export import FORMATS
from tests.fake_runs import new_run
from tests.forked import run_forked
from tests.paths import ROOT


def qdkernel(*arguments: object) -> subprocess.CompletedProcess[str]:
    return run_forked([*map(str, arguments)], cwd=ROOT)


def test_help_lists_every_format_with_its_sentence() -> None:
    text = " ".join(qdkernel("export", "--help").stdout.split())
    for name, made in FORMATS.items():
        assert f"{name}: {made.help}" in text


def test_the_training_page_lists_every_format() -> None:
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    assert [name for name in FORMATS if f"| `{name}` |" not in page] == []


def test_several_runs_become_one_export(runs: list[Path], tmp_path: Path) -> None:
    done = qdkernel("export", *runs, "--to", "trl-sft", "--out", tmp_path / "out", "--split", 0.5, "--license", "mit")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"3 files written to {tmp_path / 'out'}\n"
    card = (tmp_path / "out" / "README.md").read_text()
    assert card.startswith("---\nlicense: mit\n")
    assert all(run.name.replace("_", "\\_") in card for run in runs)


def test_records_go_to_standard_output(runs: list[Path]) -> None:
    done = qdkernel("export", runs[0], "--to", "jsonl", "--only", "elites")
    assert done.returncode == 0
    assert all(json.loads(line)["elite"] for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "trl-stf"], "no export format 'trl-stf'; did you mean 'trl-sft'? (known: axolotl, "),
        (["--to", "verl"], "export --to verl writes a folder of files; name it with --out"),
        (["--to", "jsonl", "--split", "0.9"], "--split writes several files: name a folder with --out"),
        (["--to", "c", "--only", "all", "--out", "/nowhere"], "export --to c writes elites"),
    ],
)
def test_a_mistake_gets_one_message(runs: list[Path], arguments: list[str], message: str) -> None:
    done = qdkernel("export", runs[0], *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_an_empty_run_and_a_folder_that_is_no_run_are_told(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        pass
    assert "expected a run with evaluations" in qdkernel("export", folder.path, "--to", "jsonl").stderr
    assert "holds no run.db" in qdkernel("export", tmp_path, "--to", "jsonl").stderr


def test_a_run_of_another_schema_is_told(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        pass
    with contextlib.closing(sqlite3.connect(folder.path / "run.db")) as database:
        database.execute("PRAGMA user_version = 999")
    done = qdkernel("export", folder.path, "--to", "jsonl")
    assert (done.returncode, done.stdout) == (1, "")
    assert re.search(r"run\.db was made by a newer qdkernel \(schema 999", done.stderr)
    assert "Traceback" not in done.stderr
