from __future__ import annotations

from pathlib import Path

import pytest

from qdkernel.commands.read.skills import list_skills, mine_skills, show_skill
from qdkernel.core import parse_cell
from qdkernel.errors import UnknownName
from qdkernel.mutators.skills import read_skills
from tests.fake_runs import add_elite, new_run

CELL, FASTER = parse_cell("cache+register/256/serial/none"), parse_cell("packed/256/serial/none")


def test_the_library_is_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert list_skills([]) == 0
    assert "goto-loops: The five loops of GotoBLAS and BLIS (dgemm sgemm; blocking packed)" in capsys.readouterr().out
    assert show_skill("goto-loops", []) == 0
    assert capsys.readouterr().out.startswith("# The five loops of GotoBLAS and BLIS\nproblems: dgemm sgemm\n")


def test_an_unknown_skill_names_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="goto-loops"):
        show_skill("goto-loop", [])


def test_steps_that_are_faster_for_certain_are_mined_as_skills_that_can_be_read_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with new_run(tmp_path / "runs") as folder:
        parent = add_elite(folder, CELL, 40.0)
        add_elite(folder, FASTER, 60.0, parents=(parent.id,), idea="pack B\x1b[2J into panels", operator="edit")
        add_elite(folder, parse_cell("packed/256/serial/near"), 41.0, parents=(parent.id,), idea="hardly faster")
        path = folder.path
    out = tmp_path / "skills"
    assert mine_skills(path, out, 10) == 0
    assert "\x1b" not in capsys.readouterr().out
    (mined,) = read_skills([out])
    assert mined.levels == {"blocking": ("packed",), "simd": ("256",)}
    assert mined.gain == "1.50 [1.47, 1.53] x its parent"
    assert "pack B" in mined.title
    assert mine_skills(path, out, 10) == 0
    assert "kept as it is" in capsys.readouterr().err


def test_a_run_without_such_steps_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with new_run(tmp_path / "runs") as folder:
        add_elite(folder, CELL, 40.0)
    assert mine_skills(folder.path, tmp_path / "skills", 10) == 0
    assert "no step of this run made a kernel more than 5 % faster" in capsys.readouterr().err
