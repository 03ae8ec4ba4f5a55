"""Two runs at equal cost: folded to the same amount, compared only where the numbers compare."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

from qdkernel.analysis import CellResult, OperatorStats, compare
from qdkernel.analysis.compare import Cost, History, compare_histories, fold_to_cost, history
from qdkernel.commands.read.diff import diff
from qdkernel.core import TIE_WIDTH, Cell, Evaluation, Outcome, Placement, Proposal, parse_cell
from qdkernel.errors import RunFolderError, UnknownName
from qdkernel.reports import report, show_diff, view_text
from qdkernel.runs import Bill, RunFolder
from tests.fake_runs import (
    CONFIG,
    MACHINE,
    RECORD,
    UNMEASURED,
    add_by_model,
    add_elite,
    breed,
    kernel,
    new_run,
    timed_as,
)

CELL = parse_cell("packed/512/static/near")
OTHER = parse_cell("none/scalar/serial/none")
THIRD = parse_cell("cache/256/serial/none")

Elites = list[tuple[Cell, float]]


def run_of(root: Path, elites: Elites, machine: dict[str, Any] = MACHINE) -> Path:
    with new_run(root, machine) as folder:
        for cell, gflops in elites:
            add_elite(folder, cell, gflops)
    return folder.path


def histories(root: Path, *runs: Elites) -> list[History]:
    """Runs whose evaluations are a minute apart, the first at minute 1."""
    found = []
    for elites in runs:
        with RunFolder.open(run_of(root, elites)) as folder:
            read = history(folder)
        records = tuple(dataclasses.replace(r, elapsed_s=60.0 * r.number) for r in read.records)
        found.append(dataclasses.replace(read, records=records, elapsed_s=60.0 * len(records)))
    return found


def changed(**changes: Any) -> dict[str, Any]:
    machine = copy.deepcopy(MACHINE)
    for path, value in changes.items():
        *parents, last = path.split("__")
        at = machine
        for parent in parents:
            at = at[parent]
        at[last] = value
    return machine


def test_the_longer_run_is_cut_to_the_evaluations_of_the_shorter(tmp_path: Path) -> None:
    long = run_of(tmp_path, [(OTHER, 1.0), (CELL, 50.0), (CELL, 90.0), (THIRD, 9.0)])
    short = run_of(tmp_path, [(OTHER, 2.0), (CELL, 60.0)])
    with RunFolder.open(long) as a, RunFolder.open(short) as b:
        comparison = compare(a, b)
    assert (comparison.by, comparison.common, comparison.unit) == ("evaluations", 2, "GFLOP/s")
    assert (comparison.first.used.evaluations, comparison.first.history.total.evaluations) == (2, 4)
    assert sorted(comparison.first.held) == [OTHER, CELL]
    assert comparison.first.best is not None
    assert comparison.first.best.number == 2  # the third evaluation is beyond the common cost
    assert comparison.first.qd_score == pytest.approx(51 * math.sqrt(0.9))
    ratios = {result.cell: result.ratio for result in comparison.cells}
    assert ratios == {OTHER: pytest.approx(2.0), CELL: pytest.approx(1.2)}
    assert comparison.first.operators == {"schedule": OperatorStats(proposals=2, ok=2, won=2, held=2)}


def test_runs_can_be_cut_by_the_time_they_were_active(tmp_path: Path) -> None:
    slow, quick = histories(tmp_path, [(OTHER, 1.0), (CELL, 50.0), (CELL, 90.0)], [(OTHER, 2.0)] * 3)
    quick = dataclasses.replace(quick, elapsed_s=130.0)
    comparison = compare_histories(slow, quick, "minutes")
    assert comparison.common == pytest.approx(130 / 60)
    assert (comparison.first.used.evaluations, comparison.first.used.minutes) == (2, 2.0)
    assert comparison.second.used == comparison.second.history.total


@pytest.mark.parametrize(
    ("by", "limit", "used"),
    [
        ("tokens", 1000, Cost(1, 1.0, 600, 0.5)),
        ("tokens", 1200, Cost(3, 3.0, 1200, 0.75)),
        ("tokens", 5000, Cost(4, 4.0, 2000, 1.75)),
        ("tokens", 100, Cost(0, 0.0, 0, 0.0)),
        ("usd", 0.6, Cost(1, 1.0, 600, 0.5)),
        ("minutes", 2.5, Cost(2, 2.0, 1200, 0.75)),
    ],
)
def test_a_run_is_folded_up_to_what_its_models_had_cost_by_then(
    tmp_path: Path, by: str, limit: float, used: Cost
) -> None:
    [run] = histories(tmp_path, [(OTHER, 1.0), (CELL, 50.0), (CELL, 90.0), (THIRD, 9.0)])
    bills = (Bill(10.0, 600, 0.5), Bill(100.0, 600, 0.25), Bill(200.0, 800, 1.0))
    found = fold_to_cost(dataclasses.replace(run, bills=bills), by, limit)
    assert found.used == used
    assert len(found.records) == used.evaluations


def test_runs_with_models_compare_by_tokens(tmp_path: Path) -> None:
    paths = []
    for tokens in (1000, 400):
        with new_run(tmp_path) as folder:
            for number in range(1, 4):
                add_by_model(folder, CELL, 10.0 * number, tokens=tokens, cost=0.5)
            paths.append(folder.path)
    with RunFolder.open(paths[0]) as a, RunFolder.open(paths[1]) as b:
        comparison = compare(a, b, "tokens")
    assert comparison.common == 1200
    assert [side.used.tokens for side in (comparison.first, comparison.second)] == [1000, 1200]
    assert [len(side.records) for side in (comparison.first, comparison.second)] == [1, 3]
    assert "tokens        1,000 of 3,000" in view_text(show_diff(comparison))


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        (changed(machine__cpu="Imaginary 8000"), "the machines differ: Imaginary 9000, gcc 12.2.0 and Imaginary 8000"),
        (changed(machine__kernel="6.9"), "the machines differ: same CPU model and compiler, other facts"),
        (changed(threads=1), "the threads differ: 2 and 1"),
    ],
)
def test_runs_from_elsewhere_compare_by_the_ratio_to_their_baseline(
    tmp_path: Path, machine: dict[str, Any], message: str
) -> None:
    here, there = run_of(tmp_path, [(CELL, 50.0)]), run_of(tmp_path, [(CELL, 100.0)], machine)
    with RunFolder.open(here) as a, RunFolder.open(there) as b:
        comparison = compare(a, b)
    assert comparison.unit == "of baseline"
    [result] = comparison.cells
    assert result.first == pytest.approx(0.516, abs=0.001)
    assert result.ratio == pytest.approx(2.0)
    text = view_text(show_diff(comparison))
    assert f"not comparable in GFLOP/s: {message}" in text
    assert "so cells compare by speed relative to each run's own baseline" in text


def test_runs_with_inputs_in_cache_and_in_memory_do_not_compare(tmp_path: Path) -> None:
    cold, cached = run_of(tmp_path, [(CELL, 50.0)]), run_of(tmp_path, [(CELL, 60.0)], changed(cache="L2"))
    with (
        RunFolder.open(cold) as first,
        RunFolder.open(cached) as second,
        pytest.raises(RunFolderError, match=r"got memory \(.*\) and L2 \(.*same timing.inputs"),
    ):
        compare(first, second)


def test_runs_with_different_rules_of_accuracy_do_not_compare(tmp_path: Path) -> None:
    strict, loose = run_of(tmp_path, [(CELL, 50.0)]), run_of(tmp_path, [(CELL, 60.0)], changed(accuracy="normwise"))
    with (
        RunFolder.open(strict) as a,
        RunFolder.open(loose) as b,
        pytest.raises(RunFolderError, match=r"one rule of accuracy, got componentwise \(.*\) and normwise \("),
    ):
        compare(a, b)


def test_other_sizes_do_not_compare_in_gflops(tmp_path: Path) -> None:
    first, second = histories(tmp_path, [(CELL, 50.0)], [(CELL, 50.0)])
    [record] = second.records
    one_size = timed_as(record.evaluation, record.evaluation.timings[:1])
    second = dataclasses.replace(second, records=(dataclasses.replace(record, evaluation=one_size),))
    comparison = compare_histories(first, second, "evaluations")
    assert comparison.differences == (
        "the scored sizes differ: m=256 n=256 k=256; m=768 n=768 k=768 and m=256 n=256 k=256",
    )


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        (1.0, 1.01, "equal"),
        (1.01, 1.0, "equal"),
        (1.0, 1.02, "second"),
        (1.02, 1.0, "first"),
        (1.0, None, "only first"),
        (None, 1.0, "only second"),
    ],
)
def test_who_is_faster_is_said_beyond_the_tie_width_only(
    first: float | None, second: float | None, verdict: str
) -> None:
    assert CellResult(CELL, first, second, TIE_WIDTH).verdict == verdict


def test_the_tie_width_is_that_of_the_runs(tmp_path: Path) -> None:
    folders = []
    for name, tie in (("narrow", "tie: 0.001"), ("wide", "tie: 0.03")):
        with RunFolder.create(tmp_path / name, "dgemm", f"problem: dgemm\ntiming: {{{tie}}}\n", RECORD) as folder:
            add_elite(folder, CELL, 100.0 if name == "narrow" else 102.0)
            folders.append(folder.path)
    with RunFolder.open(folders[0]) as narrow, RunFolder.open(folders[1]) as wide:
        assert [result.verdict for result in compare(narrow, wide).cells] == ["equal"]
        assert [result.verdict for result in compare(narrow, narrow).cells] == ["equal"]
        assert compare(narrow, wide).tie == 0.03
        assert compare(narrow, narrow).tie == 0.001


def test_runs_of_different_problems_are_refused(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "saxpy", CONFIG, RECORD) as other:
        add_elite(other, CELL, 5.0)
    with (
        RunFolder.open(run_of(tmp_path, [(CELL, 5.0)])) as a,
        RunFolder.open(other.path) as b,
        pytest.raises(RunFolderError, match=r"expected runs of one problem, got dgemm .* and saxpy .*; give runs"),
    ):
        compare(a, b)


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("tokens", r"spent no tokens: no model was asked in it; compare by evaluations or minutes"),
        ("usd", r"spent no usd: no model was asked in it, or its configuration gives no prices"),
    ],
)
def test_a_run_that_spent_nothing_of_a_cost_is_told(tmp_path: Path, by: str, message: str) -> None:
    first, second = histories(tmp_path, [(CELL, 50.0)], [(CELL, 50.0)])
    with pytest.raises(RunFolderError, match=message):
        compare_histories(first, second, by)


def test_an_unknown_cost_and_an_empty_run_are_told(tmp_path: Path) -> None:
    first, empty = histories(tmp_path, [(CELL, 50.0)], [])
    with pytest.raises(UnknownName, match=r"no cost 'token'; did you mean 'tokens'"):
        compare_histories(first, first, "token")
    with pytest.raises(RunFolderError, match="has no evaluation yet; let it run before comparing it"):
        compare_histories(first, empty, "evaluations")


def test_a_comparison_is_shown_with_runs_cells_and_operators(tmp_path: Path) -> None:
    long = run_of(tmp_path, [(OTHER, 1.0), (CELL, 50.0), (CELL, 90.0), (THIRD, 9.0)])
    short = run_of(tmp_path, [(OTHER, 1.005), (CELL, 60.0), (THIRD, 8.0)])
    with RunFolder.open(long) as a, RunFolder.open(short) as b:
        comparison = compare(a, b)
    text = view_text(show_diff(comparison))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0] == "at equal cost: 3 evaluations"
    assert f"run {long.name} {short.name}" in lines
    assert "evaluations 3 of 4 3" in lines
    assert "cells filled 2 (1% of those reachable) 3 (1% of those reachable)" in lines
    assert "ok 100% 100%" in lines
    assert "cells: A faster in 1, B in 0, equal within 1.5% in 1; only A fills 0, only B 1" in lines
    assert "packed/512/static/near 85.4 56.9 A, 1.500 times" in lines
    assert "none/scalar/serial/none 0.9 1.0 equal" in lines
    assert "cache/256/serial/none 7.6 only B" in lines
    assert "schedule 3 3 100% 100% 3 3 2 3" in lines


def test_the_command_prints_tables_or_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = []
    for seed, evaluations in ((1, 40), (2, 30)):
        with new_run(tmp_path) as folder:
            breed(folder, evaluations, seed)
            paths.append(folder.path)
    assert diff(paths[0], paths[1], "evaluations", as_json=False) == 0
    assert "at equal cost: 30 evaluations" in capsys.readouterr().out
    assert diff(paths[0], paths[1], "evaluations", as_json=True) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["cost"] == 30
    assert [run["run"] for run in data["runs"]] == [path.name for path in paths]
    assert [sum(run["outcomes"].values()) for run in data["runs"]] == [30, 30]
    assert {cell["verdict"] for cell in data["cells"]} >= {"only first", "only second"}
    assert sorted(data["operators"]) == ["schedule", "tune"]


def test_runs_without_an_elite_or_a_baseline_are_shown(tmp_path: Path) -> None:
    paths = []
    for seed in (1, 2):
        with new_run(tmp_path, machine=UNMEASURED) as folder:
            made = kernel(str(seed))
            number = folder.evaluations.add_proposal(Proposal(made, "schedule", ""))
            folder.evaluations.add(number, Evaluation(made.id, Outcome.WRONG), Placement.NONE, {})
            paths.append(folder.path)
    with RunFolder.open(paths[0]) as a, RunFolder.open(paths[1]) as b:
        comparison = compare(a, b)
    lines = [" ".join(line.split()) for line in view_text(show_diff(comparison)).splitlines()]
    assert "best none none" in lines
    assert "outcomes wrong 1 wrong 1" in lines
    assert "repeated no code no code" in lines
    json.dumps(report(comparison), allow_nan=False)


def test_a_run_equals_itself(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        breed(folder, 30)
    with RunFolder.open(folder.path) as a, RunFolder.open(folder.path) as b:
        comparison = compare(a, b)
    assert {result.verdict for result in comparison.cells} == {"equal"}
    first, second = report(comparison)["runs"]
    assert first == second
    assert first["ok_share"] == comparison.first.outcomes[Outcome.OK] / 30
