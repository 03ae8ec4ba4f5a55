"""Selection: near-duplicates, splits by lineage, preference pairs, what is refused."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest

from qdkernel.core import Cell, CodeHashes, Evaluation, Kernel, Outcome, Placement, Proposal, parse_cell
from qdkernel.errors import ConfigError, RunFolderError
from qdkernel.export import FORMATS, ExportRecord, Selection, open_source
from qdkernel.export.pairs import preference_pairs
from qdkernel.export.select import chosen, code_keys, split_by_lineage, without_near_duplicates
from qdkernel.runs import RunFolder
from tests.fake_runs import add_by_model, add_elite, kernel, new_run, ok
from tests.paths import CONFIGS

CELL = parse_cell("packed/512/static/near")
OTHER = parse_cell("cache/256/serial/none")


def add(
    folder: RunFolder,
    made: Kernel,
    gflops: float,
    cell: Cell = CELL,
    placement: Placement = Placement.NOT_ADDED,
    same: str = "",
) -> None:
    """Adds a correct kernel; ``same`` names a hash that it shares with others so added."""
    number = folder.evaluations.add_proposal(Proposal(made, "tune", "an idea", target=cell))
    evaluation = ok(made, cell, gflops)
    if same == "object_hash":
        evaluation = dataclasses.replace(evaluation, hashes=CodeHashes(object="x"))
    elif same == "assembly_hash":
        evaluation = dataclasses.replace(evaluation, hashes=CodeHashes(assembly="x"))
    folder.evaluations.add(number, evaluation, placement, {})


def add_failure(folder: RunFolder, made: Kernel, outcome: Outcome = Outcome.WRONG) -> None:
    number = folder.evaluations.add_proposal(Proposal(made, "tune", "an idea", target=CELL))
    folder.evaluations.add(number, Evaluation(made.id, outcome, "made up"), Placement.NONE, {})


def read(folder: RunFolder) -> list[ExportRecord]:
    with open_source([folder.path]) as source:
        return list(source.records)


def pairs_of(folder: RunFolder, failure_share: float = 0.3) -> list[tuple[int, int, Any]]:  # Any: an approx is compared
    with open_source([folder.path]) as source:
        found = preference_pairs(source.records, dict(source.templates), failure_share)
    return [(pair.chosen.evaluation, pair.rejected.evaluation, pair.margin) for pair in found]


def test_elites_and_improvements_are_chosen_by_what_the_archive_did(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        add(folder, kernel("a"), 10.0, placement=Placement.NEW)
        add(folder, kernel("b"), 20.0, placement=Placement.IMPROVED)
        add(folder, kernel("c"), 5.0)
        records = read(folder)
    assert [one.evaluation for one in chosen(records, "elites")] == [2]
    assert [one.evaluation for one in chosen(records, "improvements")] == [1, 2]
    assert [one.evaluation for one in chosen(records, "all")] == [1, 2, 3]


@pytest.mark.parametrize("same", ["object_hash", "assembly_hash"])
def test_of_kernels_with_equal_code_the_fastest_stays(tmp_path: Path, same: str) -> None:
    with new_run(tmp_path) as folder:
        add(folder, kernel("a"), 10.0, same=same)
        add(folder, kernel("b"), 20.0, same=same)
        add(folder, kernel("c"), 15.0)
        records = read(folder)
    assert [one.evaluation for one in without_near_duplicates(records)] == [2, 3]


def test_whole_lineages_are_held_out_and_the_seed_connects_nobody(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        seed = add_elite(folder, OTHER, 1.0, operator="seed")
        for family in range(8):
            root = add_elite(folder, CELL, 10.0 + family, parents=(seed.id,))
            add_elite(folder, OTHER, 30.0 + family, parents=(root.id,))
        records = read(folder)
    splits = split_by_lineage(records, records, 0.7)
    sides = {one.id: side for side, own in splits.items() for one in own}
    assert len(splits["train"]) + len(splits["test"]) == 17
    assert 2 <= len(splits["test"]) <= 0.3 * 17 + 1e-9
    for one in records:
        for parent in one.parent_ids.split():
            assert sides[one.id] == sides[parent] or parent == records[0].id


def test_one_lineage_cannot_be_split(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        root = add_elite(folder, CELL, 10.0)
        add_elite(folder, OTHER, 20.0, parents=(root.id,))
        with (
            open_source([folder.path], Selection(split=0.9)) as source,
            pytest.raises(ConfigError, match=r"--split 0\.9: expected a lineage of at most 0 of the 2 kernels"),
        ):
            FORMATS["trl-sft"].write(source, tmp_path / "out")


def test_pairs_differ_beyond_their_intervals_and_the_margin_is_log2_of_the_speed_ratio(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        add(folder, kernel("a"), 10.0)
        add(folder, kernel("b"), 40.0)
        add(folder, kernel("c"), 40.1)  # its interval overlaps that of b
        add(folder, kernel("d"), 80.0, OTHER)  # another prompt
        found = pairs_of(folder)
    assert found == [(3, 1, pytest.approx(math.log2(4.01))), (2, 1, pytest.approx(2.0))]


def test_kernels_with_equal_code_or_very_different_length_are_no_pair(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        add(folder, kernel("a"), 10.0, same="object_hash")
        add(folder, kernel("b"), 40.0, same="object_hash")
        add(folder, kernel("c" * 1000), 90.0)
        records = read(folder)
        assert set(code_keys(records[0])) & set(code_keys(records[1]))
        assert pairs_of(folder) == []


@pytest.mark.parametrize(("share", "failed"), [(0.0, 0), (0.5, 1), (1.0, 4)])
def test_the_share_of_failures_is_capped(tmp_path: Path, share: float, failed: int) -> None:
    with new_run(tmp_path) as folder:
        add(folder, kernel("a"), 10.0)
        add(folder, kernel("b"), 40.0)
        for name in "cd":
            add_failure(folder, kernel(name))
        add_failure(folder, kernel("e"), Outcome.LOST)  # says nothing about the kernel
        found = pairs_of(folder, share)
    assert [pair for pair in found if pair[1] == 1] == [(2, 1, pytest.approx(2.0))]
    assert len([pair for pair in found if pair[1] > 2]) == failed


def test_a_prompt_and_completion_beyond_the_cap_are_left_out(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        add_by_model(folder, CELL, 50.0)  # its own prompt is short
        add_elite(folder, OTHER, 20.0)
        with open_source([folder.path], Selection(max_chars=1000)) as source:
            FORMATS["trl-sft"].write(source, tmp_path / "out")
    assert len((tmp_path / "out" / "sft-train.jsonl").read_text().splitlines()) == 1


def test_what_cannot_be_exported_gets_one_message(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        with pytest.raises(ConfigError, match="expected a run with evaluations, but it holds none yet"):
            read(folder)
        add_elite(folder, CELL, 5.0)
        with pytest.raises(ConfigError, match="is given twice"), open_source([folder.path, folder.path]):
            pass
        axpy = CONFIGS / "axpy.yaml"
        with (
            pytest.raises(ConfigError, match="--stages: expected a configuration of dgemm"),
            open_source([folder.path], stages=axpy),
        ):
            pass
        with open_source([folder.path]) as source:
            (tmp_path / "mine").mkdir()
            (tmp_path / "mine" / "thesis.txt").write_text("mine")
            with pytest.raises(RunFolderError, match="holds files that are not an export"):
                FORMATS["trl-sft"].write(source, tmp_path / "mine")
            (tmp_path / "a.jsonl").write_text('{"mine": 1}\n')
            with pytest.raises(RunFolderError, match="exists and is not an export"):
                FORMATS["jsonl"].write(source, tmp_path / "a.jsonl")
            with pytest.raises(ConfigError, match="--to trl-dpo: the runs hold no row for it"):
                FORMATS["trl-dpo"].write(source, tmp_path / "dpo")


def test_a_card_keeps_hostile_names_in_its_tables(tmp_path: Path) -> None:
    from tests.fake_runs import MACHINE

    hostile = {**MACHINE, "machine": {**MACHINE["machine"], "cpu": "a | b\n---\n<script>"}}
    with new_run(tmp_path, hostile) as folder:
        add_elite(folder, CELL, 5.0)
    with open_source([folder.path]) as source:
        FORMATS["trl-sft"].write(source, tmp_path / "out")
    card = (tmp_path / "out" / "README.md").read_text()
    assert "| a \\| b --- \\<script\\> |" in card
    assert card.count("\n---\n") == 1
