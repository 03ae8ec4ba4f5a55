from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qdkernel.archives import KernelArchive
from qdkernel.core import (
    AXES,
    Behaviour,
    Cell,
    Duel,
    Evaluation,
    KernelId,
    Measured,
    Outcome,
    Placement,
    cell_name,
    parse_cell,
    reachable_cells,
)
from qdkernel.errors import UnknownName

CELL: Cell = Cell(4, 3, 1, 0)


def ok(name: str, gflops: float, cell: Cell = CELL, duel: Duel | None = None) -> Evaluation:
    return Evaluation(KernelId(name), Outcome.OK, behaviour=Behaviour(cell), measured=Measured(gflops, duel=duel))


def won(incumbent: str, ratio: float = 1.1, low: float = 1.05) -> Duel:
    return Duel(KernelId(incumbent), ratio, low, ratio + 0.05)


def test_the_first_kernel_takes_an_empty_cell() -> None:
    archive = KernelArchive([CELL])
    assert archive.offer(ok("a", 2.0)) is Placement.NEW
    assert archive.stats == dataclasses.replace(archive.stats, num_elites=1, coverage=1.0, qd_score=2.0, best=2.0)


def test_a_worse_kernel_leaves_the_elite_in_place() -> None:
    archive = KernelArchive([CELL])
    archive.offer(ok("a", 2.0))
    assert archive.offer(ok("b", 1.0)) is Placement.NOT_ADDED
    assert [entry.kernel_id for entry in archive] == ["a"]


def test_a_higher_objective_without_a_duel_is_only_a_contest() -> None:
    archive = KernelArchive([CELL])
    archive.offer(ok("a", 2.0))
    assert archive.offer(ok("b", 3.0)) is Placement.CONTESTED
    assert archive.offer(ok("b", 3.0, duel=won("somebody else"))) is Placement.CONTESTED


@pytest.mark.parametrize(("ratio", "low"), [(1.01, 1.005), (1.2, 0.99), (0.9, 0.8)])
def test_a_tie_or_an_insignificant_win_does_not_take_the_cell(ratio: float, low: float) -> None:
    archive = KernelArchive([CELL])
    archive.offer(ok("a", 2.0))
    assert archive.offer(ok("b", 3.0, duel=won("a", ratio, low))) is Placement.NOT_ADDED


def test_the_winner_of_a_duel_holds_the_cell_even_if_it_was_measured_lower() -> None:
    archive = KernelArchive([CELL])
    archive.offer(ok("other", 5.0, cell=Cell(0, 0, 0, 0)))
    archive.offer(ok("a", 2.0))
    assert archive.offer(ok("b", 1.98, duel=won("a"))) is Placement.IMPROVED
    entry = archive.get(CELL)
    assert entry is not None
    assert (entry.kernel_id, entry.objective) == ("b", 1.98)
    assert archive.stats.qd_score == pytest.approx(6.98)


def test_a_failed_evaluation_is_not_placed() -> None:
    assert (
        KernelArchive([CELL]).offer(Evaluation(KernelId("a"), Outcome.WRONG, behaviour=Behaviour(CELL)))
        is Placement.NONE
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.floats(0.1, 100.0)), max_size=25))
def test_coverage_never_falls_and_every_entry_is_its_last_winner(offers: list[tuple[int, float]]) -> None:
    archive = KernelArchive(reachable_cells([128]))
    expected: dict[Cell, float] = {}
    covered = 0.0
    for number, (level, gflops) in enumerate(offers):
        cell = Cell(0, 0, level, 0)
        incumbent = archive.get(cell)
        duel = won(incumbent.kernel_id) if incumbent and number % 2 else None
        if archive.offer(ok(str(number), gflops, cell, duel)) in (Placement.NEW, Placement.IMPROVED):
            expected[cell] = gflops
        assert archive.stats.coverage >= covered
        covered = archive.stats.coverage
    assert {entry.cell: entry.objective for entry in archive} == expected


def test_cells_without_the_machines_vectors_do_not_count() -> None:
    assert len(set(reachable_cells([128, 256]))) == 5 * 3 * 4 * 4
    assert len(set(reachable_cells([128, 256, 512]))) == np.prod([len(axis.levels) for axis in AXES])


def test_cell_names_read_back() -> None:
    assert parse_cell(cell_name(CELL)) == CELL


def test_an_unknown_level_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"no blocking level 'pack'; did you mean 'packed'\?"):
        parse_cell("pack/512/static/none")


def test_a_cell_with_missing_axes_shows_the_form() -> None:
    with pytest.raises(UnknownName, match="blocking/simd/threading/prefetch"):
        parse_cell("packed/512")
