"""``qdkernel prompt`` as a user meets it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.commands.command_line import run
from tests.commands.test_cli import GEMM


def test_the_first_prompts_are_shown_without_compiler_or_model() -> None:
    done = run("prompt", GEMM, "--show", PATH="")
    assert done.returncode == 0, done.stderr
    assert "--- system ---" in done.stdout
    assert "not timed yet" in done.stdout
    assert "void dgemm(int m, int n, int k" in done.stdout
    assert "cross: nothing to ask yet" in done.stderr


def test_prompts_of_a_run_hold_its_elites_and_stay_under_6000_tokens(
    small_run: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    done = run("prompt", GEMM, "--show", "--run", str(small_run[0]))
    assert done.returncode == 0, done.stderr
    sizes = {name: int(tokens) for name, tokens in re.findall(r"^(\w+): about (\d+) tokens", done.stdout, re.MULTILINE)}
    assert set(sizes) | {"cross"} == {
        "edit",
        "rewrite",
        "cross",
        "plan",
    }  # a cross needs a mate of about the same speed
    assert all(1000 < tokens <= 6000 for tokens in sizes.values())
    assert "OpenBLAS" in done.stdout


@pytest.mark.slow
def test_the_limit_on_prompts_holds_for_what_is_shown(
    small_run: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    asked = ("prompt", GEMM, "--operator", "edit", "--run", str(small_run[0]))
    (usual,) = re.findall(r"about (\d+) tokens", run(*asked).stdout)
    limit = int(usual) - 200
    (tokens,) = re.findall(r"about (\d+) tokens", run(*asked, "--set", f"llm.prompt_tokens={limit}").stdout)
    assert int(tokens) <= limit


@pytest.mark.slow
def test_one_operator_can_be_asked_for_and_a_wrong_name_is_told() -> None:
    assert run("prompt", GEMM, "--operator", "edit").stdout.startswith("edit: about")
    done = run("prompt", GEMM, "--operator", "edti")
    assert done.returncode == 1
    assert "no model operator 'edti'; did you mean 'edit'?" in done.stderr


def test_a_model_is_told_by_which_rule_of_accuracy_it_is_judged() -> None:
    strict = run("prompt", GEMM, "--operator", "edit", "--show").stdout
    loose = run("prompt", GEMM, "--operator", "edit", "--show", "--set", "accuracy=normwise").stdout
    assert "relative to the sum of the magnitudes of its terms, of a reference" in strict
    assert "higher precision. Lower precision fails." in strict
    assert "relative to the largest sum of the magnitudes of its terms that any result has, of a reference" in loose
    assert "higher precision. Fast algorithms such as Strassen's are welcome; lower precision fails." in loose
