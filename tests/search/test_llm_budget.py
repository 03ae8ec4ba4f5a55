"""No budget is ever passed, requests in flight included."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from qdkernel.config import BudgetConfig
from qdkernel.core import StopReason
from qdkernel.llm import TokenUsage
from qdkernel.search.llm.budget import BudgetedCall, TokenBudget, Usage


@pytest.mark.parametrize(
    ("budget", "most", "reason"),
    [
        (BudgetConfig(requests=1), Usage(1, 10, 0.1), StopReason.REQUESTS),
        (BudgetConfig(tokens=15), Usage(1, 10, 0.1), StopReason.TOKENS),
        (BudgetConfig(usd=0.15), Usage(1, 10, 0.1), StopReason.USD),
    ],
)
def test_a_request_that_would_pass_a_budget_is_refused_by_its_name(
    budget: BudgetConfig, most: Usage, reason: StopReason
) -> None:
    ledger = TokenBudget(budget, Usage())
    assert ledger.reserve(most) is None
    assert ledger.reserve(most) is reason
    assert ledger.exhausted(most) is None  # once nothing is in flight, it would fit


def test_a_settled_request_frees_what_it_did_not_use() -> None:
    ledger = TokenBudget(BudgetConfig(tokens=100), Usage())
    assert ledger.reserve(Usage(1, 80)) is None
    assert ledger.reserve(Usage(1, 80)) is StopReason.TOKENS
    ledger.settle(Usage(1, 80), Usage(1, 20))
    assert ledger.reserve(Usage(1, 80)) is None
    assert ledger.spent == Usage(1, 20)
    assert not ledger.fits(Usage(1, 1))


def test_what_earlier_sessions_spent_counts() -> None:
    ledger = TokenBudget(BudgetConfig(requests=3), Usage(requests=3))
    assert ledger.exhausted(Usage(1)) is StopReason.REQUESTS


def test_many_threads_together_stay_within_the_budget() -> None:
    ledger = TokenBudget(BudgetConfig(requests=40), Usage())

    def play(_: int) -> bool:
        if ledger.reserve(Usage(1)) is not None:
            return False
        ledger.settle(Usage(1), Usage(1, 5))
        return True

    with ThreadPoolExecutor(8) as pool:
        granted = sum(pool.map(play, range(200)))
    assert granted == 40
    assert ledger.spent == Usage(40, 200)
    assert ledger.fits(Usage())  # nothing is in flight any more


def test_every_request_of_a_call_is_reserved_and_settled_by_itself() -> None:
    ledger = TokenBudget(BudgetConfig(tokens=250), Usage())
    call = BudgetedCall(ledger, lambda: Usage(1, 100), lambda kind, text: None)
    assert call.admit()
    assert call.admit()  # of the same request
    assert (ledger.fits(Usage(1, 150)), ledger.fits(Usage(1, 151))) == (True, False)
    call.ended(TokenUsage(70, 20, 0.5))
    assert ledger.spent == Usage(1, 90, 0.5)
    assert (ledger.fits(Usage(1, 160)), ledger.fits(Usage(1, 161))) == (True, False)
    assert call.admit()
    call.ended(TokenUsage(70, 30))
    assert not call.admit()  # 190 spent, and the next may cost 100
    call.close()
    assert ledger.spent == call.spent == Usage(2, 190, 0.5)


def test_a_reservation_without_a_request_is_freed() -> None:
    ledger = TokenBudget(BudgetConfig(tokens=100), Usage())
    call = BudgetedCall(ledger, lambda: Usage(1, 100), lambda kind, text: None)
    assert call.admit()
    call.close()
    assert ledger.spent == Usage()
    assert ledger.fits(Usage(1, 100))


def test_a_share_counts_only_what_is_budgeted() -> None:
    ledger = TokenBudget(BudgetConfig(requests=10, usd=2.0), Usage())
    assert ledger.share(Usage(1, 5000, 0.5)) == pytest.approx(0.1 + 0.25)
