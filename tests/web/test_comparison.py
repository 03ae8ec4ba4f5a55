"""Several runs side by side: what is compared, what counts as a difference, what is refused."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from qdkernel.core import Cell, Placement, Proposal, parse_cell
from qdkernel.errors import RunFolderError
from qdkernel.runs import MachineRecord, RunFolder
from qdkernel.web import RunReader, report_html
from qdkernel.web.view import ComparisonView, compare_runs
from tests.fake_runs import CONFIG, MACHINE, RECORD, kernel, ok

A, B, C = (parse_cell(f"packed/512/static/{level}") for level in ("none", "near", "far"))


def make(
    root: Path, name: str, speeds: Mapping[Cell, float], config: str = CONFIG, machine: Mapping[str, Any] = MACHINE
) -> Path:
    with RunFolder.create(root / name, "dgemm", config, MachineRecord.model_validate(machine), exact=True) as folder:
        for cell, gflops in speeds.items():
            made = kernel(f"{name} {cell}")
            folder.evaluations.add(
                folder.evaluations.add_proposal(Proposal(made, "schedule", "")),
                ok(made, cell, gflops),
                Placement.NEW,
                {},
            )
        return folder.path


def compared(*paths: Path) -> ComparisonView:
    return compare_runs([RunReader(path).read() for path in paths])


def test_a_difference_is_significant_when_intervals_lie_apart_and_it_is_no_tie(tmp_path: Path) -> None:
    first = make(tmp_path, "first", {A: 50.0, B: 50.0})
    second = make(tmp_path, "second", {A: 50.6, B: 60.0})
    view = compared(first, second)
    found = {cell.cell: (round(cell.ratio or 0, 3), cell.significant) for cell in view.cells}
    assert found == {A: (1.012, False), B: (1.2, True)}


def test_a_cell_that_one_side_fills_has_no_ratio(tmp_path: Path) -> None:
    view = compared(make(tmp_path, "first", {A: 50.0, B: 50.0}), make(tmp_path, "second", {A: 50.0, C: 50.0}))
    assert {cell.cell: cell.ratio for cell in view.cells} == {A: pytest.approx(1.0), B: None, C: None}


def test_the_longer_run_is_folded_up_to_the_shorter_ones_evaluations(tmp_path: Path) -> None:
    view = compared(make(tmp_path, "short", {A: 50.0}), make(tmp_path, "long", {B: 10.0, A: 99.0}))
    assert view.common == 1
    assert [(row.evaluations, row.filled) for row in view.rows] == [(1, 1), (1, 1)]
    assert {cell.cell for cell in view.cells} == {A, B}


def test_seeds_of_one_configuration_make_a_group_with_an_interval(tmp_path: Path) -> None:
    paths = []
    for repairs, base in ((2, 50.0), (5, 80.0)):
        for seed in range(4):
            config = f"problem: dgemm\nseed: {seed}\nbudget:\n  evaluations: {seed + 5}\nllm:\n  repairs: {repairs}\n"
            paths.append(make(tmp_path, f"r{repairs}s{seed}", {A: base + seed}, config))
    view = compared(*paths)
    assert [group.differs for group in view.groups] == ["llm.repairs=2", "llm.repairs=5"]
    assert [group.runs for group in view.groups] == [tuple(f"r{r}s{s}" for s in range(4)) for r in (2, 5)]
    best = [group.metrics["best GFLOP/s"] for group in view.groups]
    assert best[0].value == pytest.approx(51.5 * 0.9**0.5)
    assert best[0].high is not None
    assert best[1].low is not None
    assert best[0].high < best[1].low
    assert [(cell.cell, cell.significant) for cell in view.cells] == [(A, True)]


def test_ranges_of_seeds_that_overlap_are_not_significant(tmp_path: Path) -> None:
    speeds = {"a1": 50.0, "a2": 70.0, "b1": 65.0, "b2": 90.0}
    paths = [make(tmp_path, name, {A: gflops}, f"problem: dgemm\nx: {name[0]}\n") for name, gflops in speeds.items()]
    [cell] = compared(*paths).cells
    assert cell.ratio == pytest.approx(77.5 / 60.0)
    assert not cell.significant


def test_other_machines_are_compared_by_ratio_and_the_page_says_so(tmp_path: Path) -> None:
    machine = copy.deepcopy(MACHINE)
    machine["machine"]["cpu"] = "Another 1"
    paths = [make(tmp_path, "first", {A: 50.0}), make(tmp_path, "second", {A: 50.0}, machine=machine)]
    assert compared(*paths).unit == "of baseline"
    assert "the machines differ: Imaginary 9000, gcc 12.2.0 and Another 1, gcc 12.2.0" in report_html(paths)


def test_runs_of_different_problems_are_refused(tmp_path: Path) -> None:
    first = make(tmp_path, "first", {A: 50.0})
    with RunFolder.create(tmp_path / "second", "sgemm", CONFIG, RECORD, exact=True) as folder:
        made = kernel("x")
        folder.evaluations.add(
            folder.evaluations.add_proposal(Proposal(made, "schedule", "")), ok(made, A, 1.0), Placement.NEW, {}
        )
    with pytest.raises(RunFolderError, match=r"expected runs of one problem, got dgemm \(first\) and sgemm \(second\)"):
        compared(first, tmp_path / "second")


def test_a_run_without_evaluations_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="second has no evaluation yet"):
        compared(make(tmp_path, "first", {A: 50.0}), make(tmp_path, "second", {}))
