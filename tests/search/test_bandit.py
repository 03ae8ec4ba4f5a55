from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qdkernel.core import Arm, Cell
from qdkernel.search.credit.bandit import Bandit
from qdkernel.search.credit.parents import ParentStats

SCHEDULE = Arm("schedule")
TUNE = Arm("tune")
EDIT = Arm("edit", "small")
ARMS = (SCHEDULE, TUNE, EDIT)
EQUAL = dict.fromkeys(ARMS, 1.0)
LEFT: Cell = Cell(0, 0, 0, 0)
RIGHT: Cell = Cell(4, 3, 1, 2)


def play(
    bandit: Bandit, rng: np.random.Generator, plays: int, chance: Mapping[Arm, float], cost: Mapping[Arm, float]
) -> Counter[Arm]:
    """Arms chosen when each earns 1 with its own chance, for its own cost."""
    chosen: Counter[Arm] = Counter()
    for _ in range(plays):
        arm = bandit.choose(ARMS, rng)
        chosen[arm] += 1
        bandit.record(arm, float(rng.random() < chance[arm]), cost[arm])
    return chosen


def choices(bandit: Bandit, draws: int = 600) -> Counter[Arm]:
    """Arms chosen when nothing is learned between the draws."""
    rng = np.random.default_rng(0)
    return Counter(bandit.choose(ARMS, rng) for _ in range(draws))


def totals(bandit: Bandit) -> dict[Arm, tuple[int, float, float]]:
    """Plays, earnings and cost of each arm."""
    return {Arm(arm.operator, arm.model): (arm.total_plays, arm.total_earned, arm.total_cost) for arm in bandit.state()}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e3])
def test_who_earns_more_per_cost_is_chosen_more_in_whatever_unit(seed: int, unit: float) -> None:
    chance, cost = {SCHEDULE: 0.1, TUNE: 0.5, EDIT: 0.1}, dict.fromkeys(ARMS, unit)
    chosen = play(Bandit(EQUAL), np.random.default_rng(seed), 300, chance, cost)
    assert chosen[TUNE] > 150


@pytest.mark.parametrize("seed", range(5))
def test_a_cheap_arm_beats_a_dear_one_that_earns_twice_as_often(seed: int) -> None:
    chance, cost = {SCHEDULE: 0.3, TUNE: 0.0, EDIT: 0.6}, {SCHEDULE: 1.0, TUNE: 1.0, EDIT: 8.0}
    chosen = play(Bandit(EQUAL), np.random.default_rng(seed), 300, chance, cost)
    assert chosen[SCHEDULE] > 2 * chosen[EDIT]


@given(earned=st.lists(st.tuples(st.sampled_from(ARMS[:2]), st.floats(0, 1e6), st.floats(0, 1e6)), max_size=30))
@settings(max_examples=30, deadline=None)
def test_no_arm_starves_whatever_the_others_earned(earned: list[tuple[Arm, float, float]]) -> None:
    bandit, rng = Bandit(EQUAL), np.random.default_rng(0)
    for arm, amount, cost in earned:
        bandit.record(arm, amount, cost)
    for _ in range(50):
        bandit.record(EDIT, 0.0, 1e6)
    assert EDIT in {bandit.choose(ARMS, rng) for _ in range(1000)}


def test_weights_decide_while_nothing_is_known() -> None:
    chosen = choices(Bandit({SCHEDULE: 8.0, TUNE: 1.0, EDIT: 1.0}))
    assert chosen[SCHEDULE] > 350
    assert min(chosen.values()) > 10
    even = choices(Bandit(EQUAL))
    assert max(even.values()) < 1.4 * min(even.values())


def test_only_the_ratio_of_weights_matters() -> None:
    weights = {SCHEDULE: 4.0, TUNE: 1.0, EDIT: 0.5}
    assert choices(Bandit(weights)) == choices(Bandit({arm: 100 * weight for arm, weight in weights.items()}))


def test_evidence_outweighs_the_weights() -> None:
    bandit = Bandit({SCHEDULE: 8.0, TUNE: 1.0, EDIT: 1.0})
    chance, cost = {SCHEDULE: 0.02, TUNE: 0.5, EDIT: 0.02}, dict.fromkeys(ARMS, 1.0)
    play(bandit, np.random.default_rng(1), 200, chance, cost)
    chosen = play(bandit, np.random.default_rng(2), 200, chance, cost)
    assert chosen[TUNE] > 110


@pytest.mark.parametrize("seed", range(3))
def test_who_earned_early_gives_way_to_who_earns_now(seed: int) -> None:
    bandit, rng, cost = Bandit(EQUAL), np.random.default_rng(seed), dict.fromkeys(ARMS, 1.0)
    early = play(bandit, rng, 200, {SCHEDULE: 0.8, TUNE: 0.05, EDIT: 0.05}, cost)
    play(bandit, rng, 150, {SCHEDULE: 0.0, TUNE: 0.05, EDIT: 0.4}, cost)
    late = play(bandit, rng, 200, {SCHEDULE: 0.0, TUNE: 0.05, EDIT: 0.4}, cost)
    assert early[SCHEDULE] > 120
    assert late[EDIT] > 100


def test_plays_in_flight_spread_a_batch() -> None:
    bandit, rng = Bandit(EQUAL), np.random.default_rng(0)
    for arm in ARMS:
        for _ in range(10):
            bandit.record(arm, 0.6 if arm == TUNE else 0.4, 1.0)
    batch: Counter[Arm] = Counter()
    for _ in range(60):
        arm = bandit.choose(ARMS, rng)
        bandit.enter(arm)
        batch[arm] += 1
    assert min(batch.values()) >= 12


def test_the_end_of_a_play_ends_its_weight_on_the_arm() -> None:
    bandit = Bandit(EQUAL)
    for _ in range(200):
        bandit.enter(TUNE)
    before = choices(bandit)
    for _ in range(200):
        bandit.record(TUNE, 0.0, 0.0)
        bandit.leave(TUNE)
    with pytest.raises(ValueError, match=r"expected a play of Arm\(operator='tune', model=''\) in flight, got none"):
        bandit.leave(TUNE)
    after = choices(bandit)
    assert before[TUNE] < 60 < 150 < after[TUNE]


def test_only_arms_that_can_be_played_are_chosen_in_whatever_order_they_come() -> None:
    bandit = Bandit(EQUAL)
    first = [bandit.choose([EDIT, TUNE], np.random.default_rng(seed)) for seed in range(20)]
    assert first == [bandit.choose({TUNE, EDIT}, np.random.default_rng(seed)) for seed in range(20)]
    assert set(first) == {TUNE, EDIT}


def test_the_restored_bandit_chooses_the_same() -> None:
    bandit, cost = Bandit(EQUAL), {SCHEDULE: 0.3, TUNE: 1.7, EDIT: 9.1}
    play(bandit, np.random.default_rng(3), 60, {SCHEDULE: 0.3, TUNE: 0.2, EDIT: 0.1}, cost)
    restored = Bandit(EQUAL)
    restored.restore(bandit.state())
    one, other = np.random.default_rng(4), np.random.default_rng(4)
    assert [bandit.choose(ARMS, one) for _ in range(200)] == [restored.choose(ARMS, other) for _ in range(200)]
    assert restored.state() == bandit.state()


def test_an_arm_no_longer_configured_keeps_its_evidence_and_can_still_be_chosen() -> None:
    old = Bandit(EQUAL)
    old.record(EDIT, 1.0, 2.0)
    new = Bandit({SCHEDULE: 1.0, Arm("edit", "large"): 1.0})
    new.restore(old.state())
    nothing = (0, 0.0, 0.0)
    assert totals(new) == {SCHEDULE: nothing, Arm("edit", "large"): nothing, TUNE: nothing, EDIT: (1, 1.0, 2.0)}
    assert new.choose([EDIT], np.random.default_rng(0)) == EDIT
    assert new.choose([Arm("never", "seen")], np.random.default_rng(0)) == ("never", "seen")


def test_arms_without_a_weight_are_counted_and_change_no_other() -> None:
    bandit, plain = Bandit(EQUAL), Bandit(EQUAL)
    bandit.record(Arm("reflect", "small"), 0.0, 500.0)
    assert totals(bandit) == {**totals(plain), Arm("reflect", "small"): (1, 0.0, 500.0)}
    assert choices(bandit) == choices(plain)


def test_the_evidence_of_plays_adds_up() -> None:
    bandit = Bandit(EQUAL)
    for arm, earned, cost in [(TUNE, 2.0, 1.0), (TUNE, 1.0, 1.0), (EDIT, 0.5, 4.0), (SCHEDULE, 0.0, 0.5)]:
        bandit.record(arm, earned, cost)
    assert totals(bandit) == {SCHEDULE: (1, 0.0, 0.5), TUNE: (2, 3.0, 2.0), EDIT: (1, 0.5, 4.0)}
    chosen = choices(bandit)
    assert chosen[TUNE] > chosen[SCHEDULE] > chosen[EDIT] > 0


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_evidence_is_finite_and_not_negative(wrong: float) -> None:
    bandit, stats = Bandit(EQUAL), ParentStats()
    with pytest.raises(ValueError, match="expected earned to be a finite number >= 0, got"):
        bandit.record(TUNE, wrong, 1.0)
    with pytest.raises(ValueError, match="expected cost to be a finite number >= 0, got"):
        bandit.record(TUNE, 1.0, wrong)
    with pytest.raises(ValueError, match="expected earned to be a finite number >= 0, got"):
        stats.record(LEFT, wrong)
    with pytest.raises(ValueError, match="expected weights > 0"):
        Bandit({TUNE: 0.0})
    with pytest.raises(ValueError, match="at least one arm"):
        bandit.choose([], np.random.default_rng(0))


def test_a_parent_nobody_tried_is_an_ordinary_one() -> None:
    assert ParentStats().factor(LEFT) == 1.0


def test_a_parent_that_earns_more_is_preferred_and_one_in_vain_avoided() -> None:
    stats = ParentStats()
    for _ in range(10):
        stats.record(LEFT, 0.002)
        stats.record(RIGHT, 0.0)
    assert stats.factor(LEFT) > 1.2
    assert stats.factor(RIGHT) < 0.4


def test_tries_in_flight_make_a_parent_less_likely_until_they_end() -> None:
    stats = ParentStats()
    for _ in range(4):
        stats.enter(LEFT)
    assert stats.factor(LEFT) == pytest.approx(0.5)
    for _ in range(4):
        stats.record(LEFT, 1.0)
        stats.leave(LEFT)
    with pytest.raises(ValueError, match="expected a try of the elite in none/scalar/serial/none in flight, got none"):
        stats.leave(LEFT)
    assert stats.factor(LEFT) == pytest.approx(1.0)


def test_a_parent_left_alone_long_enough_becomes_an_ordinary_one_again() -> None:
    stats = ParentStats()
    for _ in range(20):
        stats.record(LEFT, 0.0)
    before = stats.factor(LEFT)
    for _ in range(400):
        stats.record(RIGHT, 1.0)
    assert before < 0.3
    assert stats.factor(LEFT) > 0.9


@given(tries=st.lists(st.tuples(st.sampled_from([LEFT, RIGHT]), st.floats(0, 1e9) | st.floats(0, 1e-300)), max_size=40))
@settings(max_examples=50, deadline=None)
def test_a_factor_stays_in_its_bounds_and_survives_a_round_trip(tries: list[tuple[Cell, float]]) -> None:
    stats, restored = ParentStats(), ParentStats()
    for cell, earned in tries:
        stats.record(cell, earned)
    restored.restore(stats.state())
    for cell in (LEFT, RIGHT):
        assert 0 < stats.factor(cell) <= 1.5
        assert restored.factor(cell) == stats.factor(cell)
