"""Steps that gained and whole lineages, from a run whose lineage is written down here."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from qdkernel.core import Placement, parse_cell
from qdkernel.export import FORMATS, Selection, open_source
from tests.export.test_formats import is_chat, rows
from tests.fake_runs import add_by_model, add_elite, new_run

SCALAR, ROWS, TILES = (
    parse_cell(name) for name in ("none/scalar/serial/none", "none/512/serial/none", "register/512/serial/none")
)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A seed, two kernels of built-in operators, one of a model, and one that is faster within the noise only."""
    with new_run(tmp_path) as folder:
        seed = add_elite(folder, SCALAR, 2.0, operator="seed")
        wide = add_elite(folder, ROWS, 16.0, parents=(seed.id,))
        tiled = add_elite(folder, TILES, 32.0, parents=(wide.id, seed.id))
        add_elite(folder, TILES, 32.1, parents=(tiled.id,))
        add_by_model(folder, TILES, 64.0, parents=(tiled.id,), placement=Placement.IMPROVED)
    return folder.path


def export(run: Path, name: str, out: Path, **selection: Any) -> list[dict[str, Any]]:
    with open_source([run], Selection(**selection)) as source:
        FORMATS[name].write(source, out)
    return rows(out / f"{name}-train.jsonl")


def test_steps_show_the_parent_with_its_speed_and_answer_with_the_faster_child(run: Path, tmp_path: Path) -> None:
    steps = export(run, "steps", tmp_path / "steps")
    assert [round(step["gain"], 3) for step in steps] == [3.0, 1.0, 1.0]
    assert all(is_chat(step["prompt"]) and is_chat(step["completion"]) for step in steps)
    first = steps[0]["prompt"][-1]["content"]
    assert "scalar/serial/none at 2.0" in first
    assert "512-bit FMA x24 in dgemm" in first
    assert "at 16.0" in steps[0]["completion"][0]["content"]
    assert steps[1]["parent_gflops"] == pytest.approx(16.0 * math.sqrt(0.9))


def test_a_step_of_a_model_keeps_its_prompt_and_reply(run: Path, tmp_path: Path) -> None:
    by_model = export(run, "steps", tmp_path / "steps")[-1]
    assert by_model["prompt"][-1]["content"] == "make it faster"
    assert by_model["completion"][0]["content"].startswith("idea: pack B\n```c\n")


def test_a_trajectory_has_a_reply_and_a_gain_for_each_step_of_its_lineage(run: Path, tmp_path: Path) -> None:
    trajectories = export(run, "trajectories", tmp_path / "trajectories")
    longest = max(trajectories, key=lambda row: len(row["gains"]))
    assert [round(gain, 3) for gain in longest["gains"]] == [3.0, 1.0, 1.0]
    assert [message["role"] for message in longest["messages"]] == ["system", *["user", "assistant"] * 3]
    told = longest["messages"][3]["content"]
    assert told.startswith("Your kernel is correct.")
    assert "15.2 GFLOP/s" in told
    assert "at 32.0" in longest["messages"][4]["content"]


def test_a_trajectory_that_is_too_long_is_left_out_and_a_short_one_stays(run: Path, tmp_path: Path) -> None:
    sizes = [
        sum(len(message["content"]) for message in row["messages"])
        for row in export(run, "trajectories", tmp_path / "all")
    ]
    kept = export(run, "trajectories", tmp_path / "short", max_chars=max(sizes) - 1)
    assert len(kept) == sum(size < max(sizes) for size in sizes) > 0
