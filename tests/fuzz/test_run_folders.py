"""Run folders that somebody damaged or made with bad intent end in a message, and nothing outside of them changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.folders import judge_folder, make_folder, template_run, uses_of

SEED = 20261126
CASES = 60  # of the 10,000 of benchmarks/fuzz_run_folders.py


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template_run(tmp_path_factory.mktemp("template"))


@pytest.mark.slow
def test_every_use_of_a_hostile_folder_ends_in_a_result_or_a_message(template: Path, tmp_path: Path) -> None:
    done = told = 0
    for number in range(CASES):
        path = make_folder(SEED, number, template, tmp_path / "case")
        found = judge_folder(path, tmp_path / "out", uses_of(number))
        assert all(found.values())
        done += sum(what == "done" for what in found.values())
        told += sum(what != "done" for what in found.values())
    assert done > CASES
    assert told > CASES


def test_a_case_is_known_by_seed_and_number(template: Path, tmp_path: Path) -> None:
    made = [make_folder(SEED, 7, template, tmp_path / place) for place in ("first", "second")]
    assert len({(path / "machine.json").read_bytes() + (path / "config.yaml").read_bytes() for path in made}) == 1
