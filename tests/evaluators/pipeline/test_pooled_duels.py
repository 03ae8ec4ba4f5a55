"""Two undecided duels that are one win together, as of a constant that gains a few per cent."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from qdkernel.core import TIE_WIDTH, Duel, Fault, KernelId, Outcome, is_win, median_ratio
from qdkernel.evaluators.pipeline.timing import is_ahead, pool_duels

INCUMBENT = KernelId("0" * 64)
GAIN, NOISE, ROUNDS = 1.03, 0.05, 16


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def tuned(seed: int, gain: float = GAIN) -> Duel:
    """A duel whose challenger is faster by ``gain``, with rounds as noisy as those of a shared host."""
    draws = rng(seed)
    kernel = tuple(1e6 * np.exp(draws.normal(0, NOISE, ROUNDS)))
    incumbent = tuple(gain * 1e6 * np.exp(draws.normal(0, NOISE, ROUNDS)))
    found = median_ratio([[other / own for own, other in zip(kernel, incumbent, strict=True)]], rng(0))
    return Duel(INCUMBENT, found.median, found.low, found.high, (kernel,), (incumbent,))


def wins(gain: float) -> tuple[int, int]:
    """(wins by one duel, wins with a second where the first was undecided but ahead) of 200 challengers."""
    alone = together = 0
    for seed in range(200):
        first = tuned(2 * seed, gain)
        alone += is_win(first, TIE_WIDTH)
        found = pool_duels(first, tuned(2 * seed + 1, gain), rng(1)) if is_ahead(first, TIE_WIDTH) else first
        together += is_win(found, TIE_WIDTH)
    return alone, together


def test_small_wins_of_tuning_are_found_by_a_second_duel_and_equal_kernels_seldom_win() -> None:
    alone, together = wins(GAIN)
    assert together > 1.3 * alone
    alone, together = wins(1.0)
    assert together <= alone + 0.03 * 200


def test_two_duels_are_pooled_round_by_round() -> None:
    first, second = tuned(1), tuned(2)
    found = pool_duels(first, second, rng(1))
    assert [len(row) for row in found.kernel_ns] == [len(row) for row in found.incumbent_ns] == [2 * ROUNDS]
    assert found.high - found.low < max(first.high - first.low, second.high - second.low)
    assert found.incumbent == INCUMBENT


def test_a_second_duel_that_the_incumbent_fails_decides() -> None:
    fault = Fault(Outcome.WRONG, "the result of a timed call is wrong")
    failed = Duel(INCUMBENT, math.inf, math.inf, math.inf, fault=fault)
    assert pool_duels(tuned(1), failed, rng(1)) is failed


@pytest.mark.parametrize(
    ("changes", "ahead"),
    [
        ({"ratio": 1.03, "low": 0.99}, True),
        ({"ratio": 1.03, "low": 1.01}, False),  # won
        ({"ratio": 1.01, "low": 0.99}, False),  # a tie
        ({"ratio": 0.98, "low": 0.95}, False),
        ({"ratio": 1.03, "low": 0.99, "kernel_ns": ()}, False),  # against a bound: there are no rounds
    ],
)
def test_only_a_challenger_that_is_ahead_but_undecided_gets_another_duel(
    changes: dict[str, float], ahead: bool
) -> None:
    assert is_ahead(dataclasses.replace(tuned(1), **changes), TIE_WIDTH) is ahead  # type: ignore[arg-type]
