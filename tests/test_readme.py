"""Every command of the README runs as written, on a small run in place of RUN; so do the examples."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.evolving import BUSY, QUICK, WORKERS, as_arguments
from tests.forked import run_forked
from tests.paths import ROOT
from tests.serve.service import Served

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
LINES = [line.split("#")[0].strip() for kind, block in BLOCKS if not kind for line in block.splitlines()]
COMMANDS = [line for line in LINES if line.startswith("qdkernel ")]
SET_UP = [line for line in LINES if line.startswith("python -m venv")]


def test_the_readme_gives_two_set_up_commands_and_the_usual_ones() -> None:
    assert len(SET_UP) == 2
    usual = {"evolve", "show", "plot", "bench", "export", "serve", "check", "doctor"}
    assert {line.split()[1] for line in COMMANDS} >= usual


def as_parameter(command: str) -> Any:  # Any: pytest's parameter sets have no public type
    """A command; one that evaluates kernels is slow."""
    evaluates = command.split()[1] in ("evolve", "bench", "check", "serve", "doctor") and "--dry-run" not in command
    return pytest.param(command, id=command, marks=pytest.mark.slow if evaluates else ())


@pytest.mark.parametrize("command", [as_parameter(command) for command in COMMANDS])
def test_a_command_of_the_readme_runs(
    command: str,
    small_run: tuple[Path, subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    (tmp_path / "my_dgemm.c").write_text((ROOT / "qdkernel/problems/gemm/seeds/dgemm_naive.c").read_text())
    run = small_run[0]
    arguments = [str(run) if word == "RUN" else word for word in shlex.split(command)[1:]]
    if arguments[0] == "show" and len(arguments) == 3:
        arguments[2] = next((run / "elites").glob("*.c")).stem.replace("-", "/")
    if arguments[0] == "evolve" and "--dry-run" not in arguments:
        if "--resume" in arguments:
            assert run_forked(short(["evolve", arguments[1]], 2), cwd=tmp_path).returncode == 0
        arguments = short(arguments, 4)
    if arguments[0] == "serve":
        with Served(tmp_path, config=Path(arguments[1]).name) as service:
            assert service.ask("GET", "/readyz")[0] == 200
            assert service.stop() == 0
        return
    if arguments[0] == "check":
        arguments += as_arguments((*BUSY, "sizes=[48]"))
    if arguments[0] == "bench":
        arguments += [*as_arguments(BUSY), "--repeats", "1"]
    done = run_forked(arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def short(arguments: list[str], evaluations: int) -> list[str]:
    return [*arguments, *as_arguments((*QUICK, "budget.minutes=null", f"budget.evaluations={evaluations}"))]


@pytest.mark.parametrize("example", sorted(path.name for path in (ROOT / "examples").glob("*.py")))
def test_an_example_runs(
    example: str,
    small_run: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    if "import trl" in (source := (ROOT / "examples" / example).read_text()) or "from trl" in source:
        pytest.importorskip("trl", reason="tests/integrations runs it where TRL is installed")
    command = [sys.executable, str(ROOT / "examples" / example), str(small_run[0])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_python_of_the_readme_runs(
    small_run: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    code = next(block for kind, block in BLOCKS if kind == "python").replace('"RUN"', repr(str(small_run[0])))
    check = "\nnp.testing.assert_allclose(C, A @ B)\n"
    done = subprocess.run([sys.executable, "-c", code + check], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_the_first_set_up_command_works_in_an_empty_folder(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    brief = shlex.join(as_arguments((*QUICK, WORKERS, "budget.minutes=0.05", "pictures=true")))
    quick = {**os.environ, "PIP_NO_COMPILE": "1"}  # compiling all that is installed takes half of the time
    command = ["bash", "-c", f"{SET_UP[0]} {brief}"]
    done = subprocess.run(command, cwd=clone, env=quick, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert "stopped: the budgeted time is over" in done.stdout
