"""Which challengers are worth a duel, and which duels are wins."""

from __future__ import annotations

import pytest

from qdkernel.core import Duel, KernelId, is_win, worth_a_duel
from tests.core.test_pooling import timing


@pytest.mark.parametrize(
    ("kernel_ns", "spread", "worth"),
    [
        ((1000.0, 1000.0), 0.005, True),
        ((1030.0, 1030.0), 0.005, False),  # 3 % slower, and the two rounds agree
        ((1030.0, 1030.0), 0.05, True),  # they do not
        ((1060.0,), 0.0, True),  # a single call may be that far off
        ((1120.0,), 0.0, False),
    ],
)
def test_a_kernel_is_worth_a_duel_when_its_interval_reaches_the_incumbent(
    kernel_ns: tuple[float, ...], spread: float, worth: bool
) -> None:
    found = timing(*kernel_ns, spread=spread)
    assert worth_a_duel(found.gflops, [found], held=timing(1000.0).gflops) is worth


def test_on_a_busy_host_only_a_duel_decides_and_a_bound_wins_none() -> None:
    slow = timing(5000.0, 5000.0, quiet=False)
    assert worth_a_duel(slow.gflops, [slow], held=timing(1000.0).gflops)
    bound = timing(1000.0, bound=True)
    assert not worth_a_duel(bound.gflops, [bound], held=1e-3)


@pytest.mark.parametrize(("low", "ratio", "win"), [(1.001, 1.02, True), (0.999, 1.02, False), (1.001, 1.01, False)])
def test_a_win_is_significant_and_wider_than_a_tie(low: float, ratio: float, win: bool) -> None:
    assert is_win(Duel(KernelId("0" * 64), ratio, low, 1.1), tie=0.015) is win
