"""``qdkernel study`` as a user types it, against a real model server."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path

import pytest

from qdkernel.config import load_study
from qdkernel.problems import find_problem
from tests.forked import run_forked
from tests.llm_server import ModelServer, Script, by_operator
from tests.model_runs import environment
from tests.paths import CONFIGS

DAXPY_WRONG = """
#include <stddef.h>
void daxpy(int n, double alpha, const double *restrict x, int incx, double *restrict y, int incy) {}
"""
CONFIG = """
problems: [daxpy, ddot]
samples: 2
k: [1, 2]
judge:
  sizes: [4000]
  threads: 1
  timing: {budget_s: 0.02, rounds_min: 2, rounds_max: 3, disturbed: 1000, quiet_s: 0.2}
"""


def fenced(source: str) -> str:
    return f"Here it is.\n```c\n{source}\n```\n"


def seed(problem: str, number: int) -> str:
    found = find_problem(problem)
    return fenced(found.seed_source(found.seeds[number]))


def script() -> Script:
    """By name: prose, and a wrong kernel; by techniques: right; from a reference: once broken, once right."""
    return by_operator({
        "Write the following routine, daxpy": [fenced("void daxpy(int n) {"), seed("daxpy", 0)],
        "Write the following routine, ddot": [fenced("void ddot(int n) {}"), seed("ddot", 0)],
        "routine daxpy in C. Make it as fast": seed("daxpy", 1),
        "routine ddot in C. Make it as fast": seed("ddot", 1),
        "Write the routine daxpy": ["I would rather not.", fenced(DAXPY_WRONG)],
        "Write the routine ddot": seed("ddot", 0),
    })  # fmt: skip


def study(config: Path, out: Path, *more: str, url: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
    models = {"QDKERNEL_BASE_URL": url, "QDKERNEL_MODEL": "scripted", "QDKERNEL_PARALLEL": "1"} if url else {}
    done = run_forked(["study", str(config), "--out", str(out), *more], environment(**models))
    assert done.returncode == code, done.stderr
    return done


def table(out: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((out / "table.csv").read_text().splitlines()))


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "study.yaml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def finished(config: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, list[int]]:
    """A study that met its budget and was then gone on with: its folder, its table, the requests of each session."""
    out = tmp_path_factory.mktemp("study") / "out"
    requests = []
    with ModelServer(script()) as server:
        first = study(config, out, "--set", "budget.requests=2", url=server.base_url)
        requests.append(len(server.requests))
        assert "scripted: the budget has no room for it; the same command goes on from here" in first.stderr
        with (out / "replies.jsonl").open("a") as file:
            file.write('{"problem": "dax')  # a process that was killed
        second = study(config, out, url=server.base_url)
        requests.append(len(server.requests))
        third = study(config, out, url=server.base_url)
        requests.append(len(server.requests))
    assert third.stdout == second.stdout
    return out, second.stdout, requests


@pytest.mark.slow
def test_a_study_goes_on_where_its_budget_or_a_kill_stopped_it(finished: tuple[Path, str, list[int]]) -> None:
    assert finished[2] == [2, 12, 12]


@pytest.mark.slow
def test_the_table_counts_what_was_judged(finished: tuple[Path, str, list[int]]) -> None:
    rows = table(finished[0])
    counts = {(row["problem"], row["way"]): (row["samples"], row["compiled"], row["correct"]) for row in rows}
    assert counts == {
        ("daxpy", "name"): ("2", "1", "0"),
        ("daxpy", "techniques"): ("2", "2", "2"),
        ("daxpy", "reference"): ("2", "1", "1"),
        ("ddot", "name"): ("2", "2", "2"),
        ("ddot", "techniques"): ("2", "2", "2"),
        ("ddot", "reference"): ("2", "1", "1"),
        ("all", "name"): ("4", "3", "2"),
        ("all", "techniques"): ("4", "4", "4"),
        ("all", "reference"): ("4", "2", "2"),
    }
    by = {(row["problem"], row["way"]): row for row in rows}
    assert [by["daxpy", "reference"][f"pass@{k}"] for k in (1, 2)] == ["0.5", "1.0"]
    assert float(by["all", "name"]["pass@1"]) == 0.5
    right, half = by["daxpy", "techniques"], by["daxpy", "reference"]
    assert float(right["eff@2"]) == pytest.approx(float(right["best"]))
    assert [float(half[name]) for name in ("eff@1", "eff@2")] == pytest.approx(
        [float(half["best"]) / 2, float(half["best"])]
    )
    assert float(half["over_reference"]) > 0
    assert by["daxpy", "name"]["best"] == ""


@pytest.mark.slow
def test_table_and_picture_are_in_the_folder(finished: tuple[Path, str, list[int]]) -> None:
    out, printed, _ = finished
    assert printed.startswith((out / "table.txt").read_text())
    assert (out / "study.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_replies_are_kept_with_prompt_and_cost(finished: tuple[Path, str, list[int]]) -> None:
    lines = [json.loads(line) for line in (finished[0] / "replies.jsonl").read_text().splitlines()]
    assert [line["requests"] for line in lines] == [1] * 12
    reference = next(line for line in lines if line["problem"] == "daxpy" and line["way"] == "reference")
    assert "SUBROUTINE DAXPY(N, ALPHA, X, INCX, Y, INCY)" in reference["prompt"][0]["content"]
    assert all(line["tokens"] > 0 for line in lines)


@pytest.mark.slow
def test_stored_replies_are_judged_anew_without_a_model(
    config: Path, finished: tuple[Path, str, list[int]], tmp_path: Path
) -> None:
    study(config, tmp_path / "again", "--replay", str(finished[0]), "--set", "problems=[daxpy]")
    rows = table(tmp_path / "again")
    assert [(row["problem"], row["way"], row["correct"]) for row in rows] == [
        ("daxpy", "name", "0"), ("daxpy", "techniques", "2"), ("daxpy", "reference", "1"),
    ]  # fmt: skip


@pytest.mark.slow
def test_other_settings_of_the_judge_need_another_folder(config: Path, finished: tuple[Path, str, list[int]]) -> None:
    done = study(config, finished[0], "--set", "judge.threads=2", url="http://localhost:9", code=1)
    assert "the study was begun with judge" in done.stderr
    assert "choose another --out" in done.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("problems: [daxpy]\nways: [name, shouting]\n", "study.yaml:2: ways"),
        ("problems: [daxpy]\nsamples: 2\nk: [5]\n", "k: expected at most samples, 2, got 5"),
        ("problems: [daxpy]\njudge: {problem: ddot}\n", "judge: expected no problem, which the study sets itself"),
        ("problems: [daxpy, daxpy]\n", "problems: expected each once, got daxpy more than once"),
        ("problems: [daxpi]\n", "no problem 'daxpi'; did you mean 'daxpy'?"),
        ("problems: [daxpy]\n", "expected a model, but none is listed and the environment describes none"),
        (
            "problems: [daxpy]\nmodels: [{model: m, base_url: 'http://localhost:9/v1', api_key: sk-1}]\n",
            "study.yaml:2: models[0].api_key: Extra inputs are not permitted\n",
        ),
        ("- daxpy\n", "expected a mapping with problems"),
    ],
)
def test_a_mistake_gets_one_message(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text)
    done = study(path, tmp_path / "out", code=1)
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_the_shipped_study_asks_for_every_routine_of_the_blas() -> None:
    config = load_study(CONFIGS / "blas-study.yaml")
    assert len(config.problems) == 20
    for problem in config.problems:
        find_problem(problem)
