from __future__ import annotations

import numpy as np

from qdkernel.config import SelectionConfig
from qdkernel.core import Cell, neighbours, reachable_cells
from qdkernel.search.policies import Situation
from qdkernel.search.policies.map_elites import MapElites
from tests.search.policies.conformance import elite

REACHABLE = frozenset(reachable_cells([128, 256, 512]))
CORNER = Cell(0, 0, 0, 0)


def policy(explore: float, improve: float, reachable: frozenset[Cell] = REACHABLE) -> MapElites:
    return MapElites(reachable, SelectionConfig(exploit=0.0, explore=explore, improve=improve))


def test_an_empty_archive_gives_no_parent_and_no_target() -> None:
    choice = policy(1.0, 0.0).choose(Situation({}), np.random.default_rng(0))
    assert (choice.parent, choice.target) == (None, None)


def test_exploring_aims_at_empty_cells_beside_filled_ones() -> None:
    selector, rng = policy(1.0, 0.0), np.random.default_rng(0)
    elites = {CORNER: elite(CORNER, 1.0)}
    targets = {selector.choose(Situation(elites), rng).target for _ in range(60)}
    assert targets == set(neighbours(CORNER))


def test_unreachable_cells_are_never_aimed_at() -> None:
    selector, rng = policy(1.0, 0.0, frozenset(reachable_cells([]))), np.random.default_rng(0)
    targets = {selector.choose(Situation({CORNER: elite(CORNER, 1.0)}), rng).target for _ in range(60)}
    assert (0, 1, 0, 0) not in targets


def test_a_cell_aimed_at_in_vain_becomes_less_likely() -> None:
    selector, rng = policy(1.0, 0.0), np.random.default_rng(0)
    selector.restore({"aimed": {"register/scalar/serial/none": 50}})
    targets = [selector.choose(Situation({CORNER: elite(CORNER, 1.0)}), rng).target for _ in range(40)]
    assert targets.count(Cell(1, 0, 0, 0)) <= 2


def test_improving_prefers_cells_far_below_their_neighbours() -> None:
    selector, rng = policy(0.0, 1.0), np.random.default_rng(0)
    slow, fast = Cell(0, 1, 0, 0), Cell(0, 2, 0, 0)
    elites = {CORNER: elite(CORNER, 9.0), slow: elite(slow, 1.0), fast: elite(fast, 10.0)}
    first = [policy(0.0, 1.0).choose(Situation(elites), rng).target for _ in range(100)]
    assert first.count(slow) > 60
    assert selector.choose(Situation(elites), rng).target in elites


def test_what_is_left_over_picks_any_elite_the_faster_the_likelier() -> None:
    rng = np.random.default_rng(0)
    other = Cell(4, 3, 1, 0)
    elites = {CORNER: elite(CORNER, 1.0), other: elite(other, 90.0)}
    parents = [policy(0.0, 0.0).choose(Situation(elites), rng).parent for _ in range(200)]
    assert parents.count(elites[other]) > parents.count(elites[CORNER]) > 0


def test_a_share_of_the_choices_is_the_best_cell_or_beside_it_without_a_target_included() -> None:
    best = Cell(4, 3, 1, 0)
    elites = {CORNER: elite(CORNER, 1.0), best: elite(best, 90.0)}
    selector, rng = MapElites(REACHABLE, SelectionConfig(exploit=1.0)), np.random.default_rng(0)
    choices = [selector.choose(Situation(elites), rng) for _ in range(200)]
    targets = {choice.target for choice in choices}
    assert targets == {None, best, *neighbours(best)} & {None, *REACHABLE}
    assert all(choice.parent is elites[best] for choice in choices)


def test_a_cell_of_a_low_ceiling_is_aimed_at_less_and_one_without_any_never() -> None:
    def ceiling(cell: Cell) -> float:
        return 0.0 if cell.threading else 1.0 if cell.blocking == 1 else 0.1

    selector, rng = policy(1.0, 0.0), np.random.default_rng(0)
    situation = Situation({CORNER: elite(CORNER, 1.0)}, ceiling=ceiling)
    first = [policy(1.0, 0.0).choose(situation, rng).target for _ in range(100)]
    assert first.count(Cell(1, 0, 0, 0)) > 60
    targets = [selector.choose(situation, rng).target for _ in range(60)]
    assert all(target is not None and target.threading == 0 for target in targets)
