"""``qdkernel problem``: the worked example of docs/your-own-kernel.md, and what is said about problems with a fault."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qdkernel.loading import load
from tests.commands.command_line import run
from tests.docs.pages import files_of
from tests.evolving import QUICK, as_arguments
from tests.load import kernel_processes


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The folder of the page's example."""
    folder = tmp_path / "row_dots"
    folder.mkdir()
    files = files_of("your-own-kernel.md")
    assert list(files) == ["problem.yaml", "row_dots_naive.c", "row_dots.py"]
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def change(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))


@pytest.mark.slow
def test_the_example_of_the_page_is_ready_to_search(example: Path) -> None:
    done = run("problem", "check", str(example))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("row_dots: ready to search\n")
    for check in ("the seed row_dots_naive.c passes", "results depend on every input", "half of the digits fail"):
        assert f"ok    {check}" in done.stdout


@pytest.mark.slow
def test_a_search_runs_on_it_and_its_elite_is_loaded_and_exported(example: Path, tmp_path: Path) -> None:
    config, made = tmp_path / "row_dots.yaml", tmp_path / "run"
    config.write_text("problem: ./row_dots\nbudget: {evaluations: 1}\n")
    done = run("evolve", str(config), "--out", str(made), *as_arguments(QUICK))
    assert done.returncode == 0, done.stderr
    kernel = load(made)
    x, d = np.ones((3, 4)), np.zeros(3)
    kernel(x, x, d, alpha=0.5)
    assert (d == 2.0).all()
    assert kernel_processes() == []
    done = run("export", str(made), "--to", "library", "--out", str(tmp_path / "library"))
    assert done.returncode == 0, done.stderr
    assert "called far beyond the scored sizes" in done.stderr
    assert (tmp_path / "library" / "src" / "row_dots.c").exists()


@pytest.mark.slow
def test_a_fault_of_a_problem_is_told_with_what_to_change(example: Path) -> None:
    change(example / "row_dots_naive.c", "d[i] = alpha * sum", "d[i] = sum")
    done = run("problem", "check", str(example))
    assert done.returncode == 1
    assert "FAILS results depend on every input" in done.stdout
    assert "no result depends on alpha; use it in the reference, or remove it" in done.stdout
    assert done.stdout.endswith("row_dots: 1 checks failed\n")


@pytest.mark.parametrize(
    ("file", "before", "after", "said"),
    [
        ("problem.yaml", "flops:", "flop:", "problem.yaml:16: flop: no key 'flop'; did you mean 'flops'?"),
        ("problem.yaml", "2 * m * n", "2 * m *", "flops: expected a formula such as 2 * m * n"),
        ("problem.yaml", "alpha: [", "beta: [", "no scalar in the prototype of row_dots 'beta'"),
        ("problem.yaml", "double *restrict d", "char *restrict d", "a kernel's parameters are int, int64_t"),
        ("row_dots_naive.c", "double sum = 0;", "double sum = rand();", "a reference cannot have FuncCall here"),
    ],
)
def test_bad_input_gets_one_clear_message(example: Path, file: str, before: str, after: str, said: str) -> None:
    change(example / file, before, after)
    done = run("problem", "check", str(example))
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_init_writes_a_problem_and_spares_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("problem", "init", "squares").returncode == 0
    done = run("problem", "check", "squares")
    assert done.returncode == 0, done.stdout + done.stderr
    again = run("problem", "init", "squares")
    assert (again.returncode, again.stderr) == (
        1,
        "qdkernel: squares is there already; choose another name, or remove it\n",
    )
    assert "expected a C function's name" in run("problem", "init", "9lives").stderr
