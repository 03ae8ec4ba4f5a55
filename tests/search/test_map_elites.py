from __future__ import annotations

import numpy as np

from qdkernel.core import Cell, Kernel, neighbours, reachable_cells
from qdkernel.mutators import Elite
from qdkernel.search.policies import Selector


def elite(cell: Cell, gflops: float) -> Elite:
    return Elite(Kernel(f"/* {cell} */"), cell, gflops, "seed", "", {})


REACHABLE = frozenset(reachable_cells([128, 256, 512]))
CORNER: Cell = Cell(0, 0, 0, 0)


def test_an_empty_archive_gives_no_parent_and_no_target() -> None:
    choice = Selector(REACHABLE, 1.0, 0.0).choose({}, np.random.default_rng(0))
    assert (choice.parent, choice.target) == (None, None)


def test_exploring_aims_at_empty_cells_beside_filled_ones() -> None:
    selector, rng = Selector(REACHABLE, 1.0, 0.0), np.random.default_rng(0)
    elites = {CORNER: elite(CORNER, 1.0)}
    targets = {selector.choose(elites, rng).target for _ in range(60)}
    assert targets == set(neighbours(CORNER))


def test_unreachable_cells_are_never_aimed_at() -> None:
    selector, rng = Selector(frozenset(reachable_cells([])), 1.0, 0.0), np.random.default_rng(0)
    targets = {selector.choose({CORNER: elite(CORNER, 1.0)}, rng).target for _ in range(60)}
    assert (0, 1, 0, 0) not in targets


def test_a_cell_aimed_at_in_vain_becomes_less_likely() -> None:
    selector, rng = Selector(REACHABLE, 1.0, 0.0), np.random.default_rng(0)
    selector.aimed[Cell(1, 0, 0, 0)] = 50
    targets = [selector.choose({CORNER: elite(CORNER, 1.0)}, rng).target for _ in range(40)]
    assert targets.count(Cell(1, 0, 0, 0)) <= 2


def test_improving_prefers_cells_far_below_their_neighbours() -> None:
    selector, rng = Selector(REACHABLE, 0.0, 1.0), np.random.default_rng(0)
    slow, fast = Cell(0, 1, 0, 0), Cell(0, 2, 0, 0)
    elites = {CORNER: elite(CORNER, 9.0), slow: elite(slow, 1.0), fast: elite(fast, 10.0)}
    first = [Selector(REACHABLE, 0.0, 1.0).choose(elites, rng).target for _ in range(100)]
    assert first.count(slow) > 60
    assert selector.choose(elites, rng).target in elites


def test_what_is_left_over_picks_any_elite_the_faster_the_likelier() -> None:
    rng = np.random.default_rng(0)
    other = Cell(4, 3, 1, 0)
    elites = {CORNER: elite(CORNER, 1.0), other: elite(other, 90.0)}
    parents = [Selector(REACHABLE, 0.0, 0.0).choose(elites, rng).parent for _ in range(200)]
    assert parents.count(elites[other]) > parents.count(elites[CORNER]) > 0
