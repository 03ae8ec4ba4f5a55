from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from qdkernel.analysis import carry_over, rank_correlation
from qdkernel.core import Cell, Evaluation, Outcome, reachable_cells
from qdkernel.reports import carry_over_report, show_carry_over
from qdkernel.runs import Record, elites
from tests.fake_runs import add_elite, new_run, ok

CELLS = sorted(reachable_cells((128, 256, 512)))[:4]


@pytest.fixture
def held(tmp_path: Path) -> list[tuple[Cell, Record]]:
    """Elites of four cells, each faster than the one before."""
    with new_run(tmp_path) as folder:
        for i, cell in enumerate(CELLS):
            add_elite(folder, cell, 10.0 * (i + 1))
        return list(elites(folder.evaluations.records()).items())


def again(held: list[tuple[Cell, Record]], speeds: list[float], cells: list[Cell] = CELLS) -> list[Evaluation]:
    kernels = [record.proposal.kernel for _, record in held]
    return [ok(kernel, cell, gflops) for kernel, cell, gflops in zip(kernels, cells, speeds, strict=True)]


def test_an_archive_on_an_equal_machine_carries_over_whole(held: list[tuple[Cell, Record]]) -> None:
    found = carry_over(held, again(held, [11.0, 21.0, 31.0, 41.0]))
    assert (found.passed, found.moved, found.winners, found.best_stays) == (4, 0, 4, True)
    assert found.rank_correlation == pytest.approx(1.0)


def test_elites_that_meet_in_one_cell_leave_it_to_the_faster(held: list[tuple[Cell, Record]]) -> None:
    found = carry_over(held, again(held, [40.0, 30.0, 20.0, 10.0], [CELLS[0], CELLS[0], CELLS[2], CELLS[3]]))
    assert (found.moved, found.winners, found.best_stays) == (1, 3, False)
    assert [elite.wins for elite in found.elites] == [True, False, True, True]
    assert found.rank_correlation == pytest.approx(-1.0)


def test_an_elite_that_fails_here_counts_as_lost_from_the_archive(held: list[tuple[Cell, Record]]) -> None:
    here = again(held, [11.0, 21.0, 31.0, 41.0])
    here[3] = Evaluation(here[3].kernel_id, Outcome.WRONG, "C[0]")
    found = carry_over(held, here)
    assert (found.passed, found.winners, found.best_stays) == (3, 3, False)
    assert found.elites[3].here.outcome is Outcome.WRONG


def test_the_report_has_a_row_per_elite_and_the_sums(held: list[tuple[Cell, Record]]) -> None:
    found = carry_over(held, again(held, [11.0, 21.0, 31.0, 41.0]))
    console = Console(width=200)
    with console.capture() as capture:
        console.print(show_carry_over(found, "Xeon", "EPYC"))
    assert "Xeon -> EPYC" in capture.get()
    assert "4 of 4 elites are right and timed here, 0 of them in another cell; 4 still win" in capture.get()
    report = carry_over_report(found)
    assert [row["still_wins"] for row in report["elites"]] == [True] * 4
    assert report["elites"][0]["gflops_there"] == pytest.approx(held[0][1].evaluation.objective)


@pytest.mark.parametrize(
    ("second", "expected"),
    [((10, 20, 30, 40), 1.0), ((4, 3, 2, 1), -1.0), ((1, 1, 1, 1), 0.0), ((1, 3, 2, 4), 0.8), ((1, 2, 2, 3), 0.9487)],
)
def test_rank_correlation_is_spearmans(second: tuple[float, ...], expected: float) -> None:
    assert rank_correlation((1, 2, 3, 4), second) == pytest.approx(expected, abs=1e-4)
