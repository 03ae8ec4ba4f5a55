from __future__ import annotations

from pathlib import Path

import pytest

from qdkernel.core import parse_cell
from qdkernel.errors import ConfigError
from qdkernel.mutators.skills import BUILT_IN_SKILLS, read_skill, read_skills
from qdkernel.problems import PROBLEMS

GOOD = """\
# Unroll by four
problems: dgemm
simd: 256 512
source: a test

Unroll the loop
by four.
"""


def written(folder: Path, text: str, name: str = "unroll.md") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_every_skill_that_comes_along_is_sound_names_its_source_and_known_problems() -> None:
    skills = read_skills([BUILT_IN_SKILLS])
    assert len(skills) >= 15
    assert {problem for skill in skills for problem in skill.problems} <= set(PROBLEMS)


def test_a_skill_survives_its_file(tmp_path: Path) -> None:
    skill = read_skill(written(tmp_path, GOOD))
    assert skill.levels == {"simd": ("256", "512")}
    assert skill.to_text() == GOOD
    assert read_skill(written(tmp_path, skill.to_text())) == skill


@pytest.mark.parametrize(
    ("problem", "cell", "applies"),
    [
        ("dgemm", "packed/256/serial/none", True),
        ("dgemm", "packed/128/serial/none", False),
        ("daxpy", "packed/256/serial/none", False),
    ],
)
def test_a_skill_applies_to_its_problems_and_levels(tmp_path: Path, problem: str, cell: str, applies: bool) -> None:
    assert read_skill(written(tmp_path, GOOD)).applies(problem, parse_cell(cell)) is applies


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no heading\n\ntext\n", "expected '# title'"),
        (GOOD.replace("source: a test\n", ""), "expected a line 'source: ...'"),
        (GOOD.replace("simd: 256 512", "simd: 1024"), "simd: expected levels of scalar, 128, 256, 512, got 1024"),
        (GOOD.replace("problems: dgemm", "problem: dgemm"), "expected 'key: value' with a key of problems, blocking"),
        (GOOD + "x" * 1200, "expected a text of at most 1200 characters"),
    ],
)
def test_a_file_that_is_no_skill_is_refused_with_the_reason(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_skill(written(tmp_path, text))


def test_a_later_folder_replaces_a_skill_of_the_same_name(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    written(first, GOOD)
    written(second, GOOD.replace("four", "eight"))
    assert [skill.title for skill in read_skills([first, second])] == ["Unroll by eight"]


def test_a_folder_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected a folder of skills"):
        read_skills([tmp_path / "none"])
