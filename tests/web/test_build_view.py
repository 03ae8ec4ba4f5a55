"""The view of a run: statuses, budgets, cells, curves, timeline, noise."""

from __future__ import annotations

import copy
import dataclasses
import datetime
from pathlib import Path

import pytest

from qdkernel.core import CodeHashes, Fault, Outcome, Placement, Proposal, parse_cell
from qdkernel.runs import EventKind, RunFolder
from qdkernel.web import RunReader, RunView, run_view
from tests.fake_runs import MACHINE, RECORD, UNMEASURED, add_by_model, add_elite, breed, kernel, new_run, ok, timed_as
from tests.search.offline import configured, search

A, B = parse_cell("packed/512/static/none"), parse_cell("none/scalar/serial/none")


def viewed(path: Path, later_s: float = 0.0) -> RunView:
    return run_view(RunReader(path).read(), datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=later_s))


def test_a_run_is_running_then_interrupted_unless_it_said_why_it_stopped(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        add_elite(folder, A, 50.0)
        assert viewed(folder.path).status == "running"
        assert viewed(folder.path, later_s=3600).status == "interrupted"
        folder.events.add(EventKind.STOPPED, "evaluations")
        view = viewed(folder.path, later_s=3600)
        assert (view.status, view.stop_reason) == ("stopped", "evaluations")
        add_elite(folder, B, 1.0)  # resumed
        assert viewed(folder.path).status == "running"


def test_budgets_show_what_is_used_and_left(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "dgemm", "budget:\n  evaluations: 40\n  usd: 0.02\n", RECORD) as folder:
        for number in range(10):
            add_by_model(folder, A, 10.0 + number, placement=Placement.IMPROVED)
        view = viewed(folder.path)
    assert [(b.name, b.used, b.limit, b.share) for b in view.budgets] == [
        ("evaluations", 10.0, 40.0, 0.25),
        ("usd", pytest.approx(0.1), 0.02, 1.0),
    ]
    assert view.budgets[0].left.endswith(" left")
    assert view.budgets[1].left == "used up"


@pytest.mark.parametrize(("limit", "told"), [("1.0e+308", [("minutes", "")]), (".inf", []), ("1" + 400 * "0", [])])
def test_a_budget_beyond_all_times_has_no_time_left(limit: str, told: list[tuple[str, str]], tmp_path: Path) -> None:
    with RunFolder.create(tmp_path, "dgemm", f"budget:\n  minutes: {limit}\n", RECORD) as folder:
        add_elite(folder, A, 50.0)
        assert [(b.name, b.left) for b in viewed(folder.path).budgets] == told


def test_empty_unreachable_retracted_and_filled_cells_are_told_apart(tmp_path: Path) -> None:
    machine = copy.deepcopy(MACHINE)
    machine["machine"]["simd_widths"] = [128, 256]
    low, high = parse_cell("packed/256/static/none"), parse_cell("packed/512/static/none")
    with new_run(tmp_path, machine) as folder:
        failing = add_elite(folder, low, 50.0)
        add_elite(folder, B, 1.0)
        folder.evaluations.retract(failing.id, Fault(Outcome.WRONG, "a wrong result"))
        states = {cell.cell: cell.state for cell in viewed(folder.path).cells}
    assert states[low] == "retracted"
    assert states[high] == "unreachable"
    assert states[B] == "filled"
    assert states[parse_cell("none/128/serial/none")] == "empty"
    assert len(states) == 320


def test_the_replays_last_step_is_the_archive(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        breed(folder, 150)
        view = viewed(folder.path)
    held = {step.cell: step.gflops for step in view.steps}
    assert held == {cell.cell: cell.gflops for cell in view.ranked}


def test_curves_end_where_the_run_ends_and_never_fall(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        breed(folder, 150)
        add_by_model(folder, A, 500.0, placement=Placement.IMPROVED)
        view = viewed(folder.path)
    assert [curve.by for curve in view.curves] == ["evaluations", "minutes", "tokens", "usd"]
    for curve in view.curves:
        assert curve.best[-1] == pytest.approx((curve.total, 500.0 * 0.9**0.5))
        assert curve.filled[-1][1] == len(view.ranked)
        for line in (curve.best, curve.filled, *(o.points for o in curve.operators)):
            assert list(line) == sorted(line)
            assert [y for _, y in line] == sorted(y for _, y in line)
    assert {line.name for line in view.curves[0].wins} == {"schedule", "tune", "edit, big"}


def test_a_timeline_puts_what_ran_at_the_same_time_into_lanes(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        for number, began in enumerate((100.0, 100.2, 101.0)):
            made = kernel(str(number))
            times = {"compile": began, "assembly": began + 0.1, "verify": began + 0.2, "time": began + 0.4}
            steps = {"compile": 0.1, "assembly": 0.1, "verify": 0.1, "time": 0.2}
            evaluation = dataclasses.replace(ok(made, A, 1.0 + number), began_s=times, step_s=steps)
            folder.evaluations.add(
                folder.evaluations.add_proposal(Proposal(made, "schedule", "")), evaluation, Placement.IMPROVED, {}
            )
        found = viewed(folder.path).timeline
    assert [(bar.number, bar.lane, bar.phase) for bar in found.bars] == [
        (number, lane, phase) for number, lane in ((1, 0), (2, 1), (3, 0)) for phase in ("compile", "verify", "time")
    ]
    assert found.seconds == pytest.approx({"compile": 0.6, "verify": 0.3, "time": 0.6})
    assert max(bar.end_s for bar in found.bars) <= 1.0  # the clock of the run, not of the host


def test_the_baselines_speed_is_relative_to_its_start(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        made = kernel("x")
        evaluation = ok(made, A, 50.0)
        slow = tuple(
            dataclasses.replace(timing, reference_ns=tuple(2 * ns for ns in timing.reference_ns), quiet=False)
            for timing in evaluation.timings
        )
        number = folder.evaluations.add_proposal(Proposal(made, "schedule", ""))
        folder.evaluations.add(number, timed_as(evaluation, slow), Placement.NEW, {})
        [found] = viewed(folder.path).noise
    assert (found.median, found.low, found.high, found.loud) == pytest.approx((0.5, 0.5, 0.5, 1.0))


def test_groups_of_equal_code_count_the_duplicates(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder:
        original = add_elite(folder, A, 50.0)
        for number in range(3):
            made = kernel(f"again {number}")
            form = ok(made, A, 1.0).hashes.normal
            again = dataclasses.replace(
                ok(made, A, 1.0), outcome=Outcome.DUPLICATE, measured=None, hashes=CodeHashes(form),
                duplicate_of=original.id,
            )  # fmt: skip
            folder.evaluations.add(
                folder.evaluations.add_proposal(Proposal(made, "tune", "")), again, Placement.NONE, {}
            )
        [group] = viewed(folder.path).groups
    assert (group.size, group.number, group.operators) == (4, 1, ("schedule", "tune"))


def test_a_run_that_has_nothing_yet_has_a_page(tmp_path: Path) -> None:
    from qdkernel.web import report_html

    with new_run(tmp_path, machine=UNMEASURED) as folder:
        assert "No kernel holds a cell yet." in report_html([folder.path])


def test_the_bandit_of_a_search_is_shown(tmp_path: Path) -> None:
    with new_run(tmp_path) as folder, search(configured(20), folder) as run:
        run.evolution.run()
        view = viewed(folder.path)
        operators = [record.proposal.operator for record in folder.evaluations.records()]
    shown = {(row.operator, row.model): row.plays for row in view.bandit}
    assert shown == {(name, ""): operators.count(name) for name in ("schedule", "tune")}
    assert sum(shown.values()) == 19  # all but the seed
    assert max(row.earned for row in view.bandit) > 0
