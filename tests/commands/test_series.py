"""``qdkernel evolve configs/library.yaml``: several runs, one table, one picture."""

from __future__ import annotations

from pathlib import Path

import pytest

from qdkernel.problems import PROBLEMS
from qdkernel.runs import RunFolder
from tests.evolving import command
from tests.forked import run_forked

TINY = ("sizes=[2000]", "problems=[daxpy, ddot]", "budget={evaluations: 2}", "mutators=[{name: tune}]")


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("series") / "out"
    done = run_forked(command("library.yaml", out, *TINY))
    assert done.returncode == 0, done.stderr
    return out, done.stdout


@pytest.mark.slow
def test_a_series_ends_in_one_table_and_one_picture(series: tuple[Path, str]) -> None:
    out, printed = series
    lines = (out / "table.txt").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["problem", "daxpy", "ddot", "geometric"]
    assert printed.startswith("\n".join(lines))
    assert (out / "library.png").read_bytes().startswith(b"\x89PNG")
    for problem in ("daxpy", "ddot"):
        with RunFolder.open(out / problem) as run:
            assert run.facts.problem == problem
        assert "stopped: " in (out / f"{problem}.txt").read_text()


@pytest.mark.slow
def test_runs_that_have_ended_are_not_repeated(series: tuple[Path, str]) -> None:
    out, printed = series
    done = run_forked(command("library.yaml", out, *TINY, more=["--resume"]))
    assert (done.returncode, done.stdout) == (0, printed)
    assert "of 2" not in done.stderr
    again = run_forked(command("library.yaml", out, *TINY))
    assert again.returncode == 1
    assert "already holds something; add --resume" in again.stderr


def test_a_dry_run_lists_the_problems_and_the_time(tmp_path: Path) -> None:
    done = run_forked(command("library.yaml", tmp_path / "out", "sizes=auto", more=["--dry-run"]))
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()) == sorted(PROBLEMS)
    assert f"{len(PROBLEMS)} problems, at most {len(PROBLEMS)} minutes of search" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_series_has_no_run_to_repeat(tmp_path: Path) -> None:
    done = run_forked(command("library.yaml", tmp_path / "out", more=["--replay", str(tmp_path)]))
    assert done.returncode == 1
    assert "expected one problem for --replay and --seed-from" in done.stderr
