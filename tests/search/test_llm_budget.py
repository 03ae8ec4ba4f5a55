"""No budget is ever passed, requests in flight included."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from qdkernel.config import BudgetConfig
from qdkernel.core import StopReason
from qdkernel.search.llm_budget import Charge, Ledger


@pytest.mark.parametrize(
    ("budget", "most", "reason"),
    [
        (BudgetConfig(requests=1), Charge(1, 10, 0.1), StopReason.REQUESTS),
        (BudgetConfig(tokens=15), Charge(1, 10, 0.1), StopReason.TOKENS),
        (BudgetConfig(usd=0.15), Charge(1, 10, 0.1), StopReason.USD),
    ],
)
def test_a_request_that_would_pass_a_budget_is_refused_by_its_name(
    budget: BudgetConfig, most: Charge, reason: StopReason
) -> None:
    ledger = Ledger(budget, Charge())
    assert ledger.reserve(most) is None
    assert ledger.reserve(most) is reason
    assert ledger.exhausted(most) is None  # once nothing is in flight, it would fit


def test_a_settled_request_frees_what_it_did_not_use() -> None:
    ledger = Ledger(BudgetConfig(tokens=100), Charge())
    assert ledger.reserve(Charge(1, 80)) is None
    assert ledger.reserve(Charge(1, 80)) is StopReason.TOKENS
    ledger.settle(Charge(1, 80), Charge(1, 20))
    assert ledger.reserve(Charge(1, 80)) is None
    assert ledger.spent == Charge(1, 20)
    assert ledger.in_flight == Charge(1, 80)


def test_what_earlier_sessions_spent_counts() -> None:
    ledger = Ledger(BudgetConfig(requests=3), Charge(requests=3))
    assert ledger.exhausted(Charge(1)) is StopReason.REQUESTS


def test_many_threads_together_stay_within_the_budget() -> None:
    ledger = Ledger(BudgetConfig(requests=40), Charge())

    def play(_: int) -> bool:
        if ledger.reserve(Charge(1)) is not None:
            return False
        ledger.settle(Charge(1), Charge(1, 5))
        return True

    with ThreadPoolExecutor(8) as pool:
        granted = sum(pool.map(play, range(200)))
    assert granted == 40
    assert ledger.spent == Charge(40, 200)
    assert ledger.in_flight == Charge()


def test_a_share_counts_only_what_is_budgeted() -> None:
    ledger = Ledger(BudgetConfig(requests=10, usd=2.0), Charge())
    assert ledger.share(Charge(1, 5000, 0.5)) == pytest.approx(0.1 + 0.25)
