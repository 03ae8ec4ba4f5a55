"""The command line as a user meets it: messages, exit codes, streams."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.commands.command_line import run
from tests.evolving import BUSY, as_arguments
from tests.llm_server import FAILURES, REPLIES, ModelServer, in_turn
from tests.paths import CONFIGS, ROOT

GEMM = str(ROOT / "configs" / "gemm.yaml")


def test_help_names_every_command() -> None:
    done = run("--help")
    assert done.returncode == 0
    for name in ("evolve", "doctor", "check", "bench", "show", "plot", "report", "watch", "export", "config"):
        assert name in done.stdout


def test_the_version_is_told() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"qdkernel {version('qdkernel')}\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["evolve", "no/such.yaml"], "no/such.yaml"),
        (["evolve", GEMM, "--set", "problem=jacobi2"], "no problem 'jacobi2'; did you mean 'jacobi2d'?"),
        (["evolve", GEMM, "--set", "sizes=[0]"], "sizes"),
        (
            ["evolve", GEMM, "--set", "budget.minutes=null"],
            "expected evaluations, minutes, requests, tokens or usd to be set",
        ),
        (["evolve", GEMM, "--set", "budgte.minutes=1"], "budget"),
        (["evolve", GEMM, "--set", "mutators=[{name: shedule}]"], "did you mean 'schedule'?"),
        (["evolve", GEMM, "--set", "threads=4096"], "expected at most"),
        (["evolve", GEMM, "--set", "sizes=[{m: 5}]"], "expected the dimensions m, n, k"),
        (["evolve", GEMM, "--set", "compiler.command=no-such-cc"], "no compiler 'no-such-cc' on PATH"),
        (["evolve", GEMM, "--set", "compiler.flags=[-O3, -ffast-math]"], "fast-math"),
        (["evolve", GEMM, "--resume", "--out", "no/such/run"], "no/such/run"),
        (["show", "no/such/run"], "does not exist"),
        (["show", str(ROOT / "tests")], "no run.db"),
        (["report", "no/such/run"], "does not exist"),
        (["watch", "no/such/folder"], "expected a run folder or a folder of runs"),
        (["watch", str(ROOT / "tests")], "holds no run"),
        (["export", str(ROOT / "tests"), "--to", "xml"], "no export format 'xml'"),
        (["check", "no-such.c", "--problem", "dgemm"], "no-such.c cannot be read"),
        (["check", GEMM, "--problem", "sgemmm"], "did you mean 'sgemm'?"),
        (["check", GEMM, "--problem", "jacobi2d", "--set", "accuracy=normwise"], "expected componentwise for jacobi2d"),
        (["bench", GEMM], "is not a run folder"),
        (["config", "check", "no-such.yaml"], "no-such.yaml"),
        (["frobnicate"], "No such command"),
    ],
)
def test_a_mistake_ends_in_one_message_and_exit_code_1(arguments: list[str], said: str) -> None:
    done = run(*arguments)
    assert done.returncode == 1, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_dry_run_shows_the_resolved_configuration_and_its_cost() -> None:
    done = run("evolve", GEMM, "--dry-run", "--set", "budget.evaluations=100")
    assert done.returncode == 0
    assert "evaluations: 100" in done.stdout
    assert "would cost: at most 2.2 minutes and at most 100 evaluations" in done.stderr


def test_a_dry_run_needs_no_compiler() -> None:
    assert run("evolve", GEMM, "--dry-run", PATH="").returncode == 0


def test_a_missing_compiler_says_how_to_get_one(tmp_path: Path) -> None:
    done = run("check", str(ROOT / "tests" / "conftest.py"), "--problem", "dgemm", PATH=str(tmp_path))
    assert done.returncode == 1
    assert "apt install gcc" in done.stderr


def test_the_schema_is_json_and_knows_every_section() -> None:
    schema = json.loads(run("config", "schema").stdout)
    assert {"problem", "sizes", "budget", "timing"} <= set(schema["properties"])


@pytest.mark.slow
@pytest.mark.parametrize("config", sorted(path.name for path in CONFIGS.glob("*.yaml") if "study" not in path.name))
def test_every_shipped_configuration_is_sound(config: str) -> None:
    done = run("config", "check", str(CONFIGS / config), *as_arguments(("timing.budget_s=0.02", *BUSY)))
    assert done.returncode == 0, done.stderr


def test_problems_lists_each_with_its_sizes_baseline_and_contract() -> None:
    done = run("problems")
    assert done.returncode == 0, done.stderr
    for words in (
        "dgemm: C = alpha A B + beta C",
        "m=512 n=512 k=512",
        "OpenBLAS",
        "with alpha = 0",
        "jacobi2d",
    ):
        assert words in done.stdout
    assert {"dgemm", "daxpy"} <= {each["name"] for each in json.loads(run("problems", "--json").stdout)}


def test_doctor_names_each_layer_and_the_peaks() -> None:
    done = run("doctor", "--json")
    found = json.loads(done.stdout)
    assert set(found["containment"]) == {"limits", "landlock", "seccomp"}
    assert all(value > 0 for value in found["peak GFLOP/s"].values())
    assert found["triad GB/s"]


@pytest.mark.slow
def test_check_explains_a_kernel(tmp_path: Path) -> None:
    kernel = str(ROOT / "qdkernel/problems/gemm/seeds/dgemm_naive.c")
    done = run("check", kernel, "--problem", "dgemm", *as_arguments(("sizes=[48]", *BUSY)))
    assert done.returncode == 0, done.stderr
    for words in ("ok", "compile", "verify", "behaviour: ", "GFLOP/s", "rounding errors"):
        assert words in done.stdout


@pytest.mark.slow
def test_check_of_a_bad_kernel_gives_its_outcome_and_exit_code_1(tmp_path: Path) -> None:
    (tmp_path / "bad.c").write_text("void dgemm(void) {}")
    done = run("check", str(tmp_path / "bad.c"), "--problem", "dgemm", "--set", "sizes=[48]")
    assert done.returncode == 1
    assert "compile_error" in done.stdout
    assert "conflicting types" in done.stdout


@pytest.mark.slow
def test_doctor_asks_the_model_in_the_environment_for_a_kernel_and_tells_what_came() -> None:
    with ModelServer(in_turn("hello", REPLIES["good"], FAILURES["full-context"])) as server:
        named = {"QDKERNEL_BASE_URL": server.base_url, "QDKERNEL_MODEL": "scripted"}
        found = json.loads(run("doctor", "--json", **named).stdout)["models"]
        assert list(found) == [f"scripted at {server.base_url}"]
        assert found[f"scripted at {server.base_url}"].startswith("answers a prompt of about ")
        assert "with no kernel: " in found[f"scripted at {server.base_url}"]
        assert "the reply begins: hello" in found[f"scripted at {server.base_url}"]
        assert found[f"scripted at {server.base_url}"].endswith("the server has the model")
        assert "with a kernel of " in json.loads(run("doctor", "--json", **named).stdout)["models"].popitem()[1]
        full = json.loads(run("doctor", "--json", **named).stdout)["models"].popitem()[1]
        assert full.startswith("no answer to a prompt of about ")
        assert "empty: 127.0.0.1" in full
        assert "the server's context of about 4,096 tokens is full" in full
    gone = json.loads(run("doctor", "--json", **named).stdout)["models"]
    assert not gone[f"scripted at {server.base_url}"].startswith("answers")
    assert "names none" in json.loads(run("doctor", "--json").stdout)["models"]["environment"]
