"""Configurations of several problems."""

from __future__ import annotations

from pathlib import Path

import pytest

from qdkernel.config import EVERY, load_member, series_problems
from qdkernel.errors import ConfigError
from tests.paths import CONFIGS


def test_the_shipped_series_is_of_every_problem_a_minute_each() -> None:
    assert series_problems(CONFIGS / "library.yaml") == (EVERY,)
    config = load_member(CONFIGS / "library.yaml", "daxpy", ["problems=[daxpy]", "seed=3"])
    assert (config.problem, config.budget.minutes, config.sizes, config.seed) == ("daxpy", 1.0, "auto", 3)


def test_problems_may_be_chosen_from_the_command_line() -> None:
    assert series_problems(CONFIGS / "library.yaml", ["problems=[daxpy, ddot]"]) == ("daxpy", "ddot")


def test_the_configuration_of_a_run_is_no_series() -> None:
    assert series_problems(CONFIGS / "gemm.yaml") is None
    assert series_problems(CONFIGS / "no-such-file.yaml") is None


@pytest.mark.parametrize("given", ["daxpy", "[daxpy, daxpy]", "[]", "[1]"])
def test_other_problems_are_refused(given: str) -> None:
    with pytest.raises(ConfigError, match="problems: expected all, or a list of names, each once, got"):
        series_problems(CONFIGS / "library.yaml", [f"problems={given}"])


def test_a_mistake_in_a_series_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "series.yaml"
    path.write_text("problems: all\nbudget: {minutes: -1}\n")
    with pytest.raises(ConfigError, match=r"series\.yaml:2: budget\.minutes: expected"):
        load_member(path, "daxpy")
