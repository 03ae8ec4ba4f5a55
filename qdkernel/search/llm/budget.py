"""What models have cost, requests in flight included, and whether another request fits into the budget."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from qdkernel.config import BudgetConfig
from qdkernel.core import StopReason
from qdkernel.llm import CallObserver, FailureKind, TokenUsage


@dataclass(frozen=True)
class Usage:
    """A cost: HTTP requests, tokens in both directions, US dollars."""

    requests: int = 0
    tokens: int = 0
    usd: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.requests + other.requests, self.tokens + other.tokens, self.usd + other.usd)

    def __sub__(self, other: Usage) -> Usage:
        return Usage(self.requests - other.requests, self.tokens - other.tokens, self.usd - other.usd)


class TokenBudget:
    """What the models of one run have cost; may be used from several threads.

    A request is reserved at the most it can cost and settled at what it did cost, so no budget is exceeded.

    Args:
        budget: the run's.
        spent: by earlier sessions.
    """

    def __init__(self, budget: BudgetConfig, spent: Usage) -> None:
        self._budget = budget
        self._spent = spent
        self._in_flight = Usage()
        self._lock = threading.Lock()

    @property
    def spent(self) -> Usage:
        """What was settled."""
        return self._spent

    def reserve(self, most: Usage) -> StopReason | None:
        """Reserves a request, or names the budget it does not fit into beside everything else in flight."""
        with self._lock:
            lacking = self._lacking(self._spent + self._in_flight + most)
            if lacking is None:
                self._in_flight += most
            return lacking

    def settle(self, reserved: Usage, actual: Usage) -> None:
        """Ends a reservation."""
        with self._lock:
            self._in_flight -= reserved
            self._spent += actual

    def fits(self, most: Usage) -> bool:
        """Whether a request of at most this cost could be reserved now."""
        with self._lock:
            return self._lacking(self._spent + self._in_flight + most) is None

    def exhausted(self, most: Usage) -> StopReason | None:
        """The budget that a request of at most this cost does not fit into, whatever is in flight."""
        with self._lock:
            return self._lacking(self._spent + most)

    def share(self, charge: Usage) -> float:
        """A cost as a share of the budgets, summed; what is not budgeted costs nothing."""
        budget = self._budget
        pairs = ((charge.requests, budget.requests), (charge.tokens, budget.tokens), (charge.usd, budget.usd))
        return sum(used / limit for used, limit in pairs if limit)

    def _lacking(self, total: Usage) -> StopReason | None:
        budget = self._budget
        if budget.requests is not None and total.requests > budget.requests:
            return StopReason.REQUESTS
        if budget.tokens is not None and total.tokens > budget.tokens:
            return StopReason.TOKENS
        if budget.usd is not None and total.usd > budget.usd:
            return StopReason.USD
        return None


class BudgetedCall(CallObserver):
    """Reserves every request of a call before it is sent, and settles it when it is over.

    Args:
        budget: of the run.
        most: the most that the next request can cost; asked anew for each.
        tell: called with each failed request and its kind, and with other observations, without a kind.
    """

    def __init__(
        self, budget: TokenBudget, most: Callable[[], Usage], tell: Callable[[FailureKind | None, str], None]
    ) -> None:
        self._budget = budget
        self._most = most
        self._tell = tell
        self._reserved: Usage | None = None
        self.spent = Usage()

    def admit(self) -> bool:
        """Whether the budgets have room for a request, which is then reserved until ``ended`` or ``close``."""
        if self._reserved is None:
            most = self._most()
            if self._budget.reserve(most) is None:
                self._reserved = most
        return self._reserved is not None

    def ended(self, usage: TokenUsage) -> None:
        """Settles the request."""
        self._settle(Usage(1, usage.tokens, usage.cost))

    def failed(self, kind: FailureKind, text: str) -> None:
        """Passes it on."""
        self._tell(kind, text)

    def noticed(self, text: str) -> None:
        """Passes it on."""
        self._tell(None, text)

    def close(self) -> None:
        """Frees a reservation for which no request was sent."""
        if self._reserved is not None:
            self._settle(Usage())

    def _settle(self, actual: Usage) -> None:
        assert self._reserved is not None
        self._budget.settle(self._reserved, actual)
        self._reserved = None
        self.spent += actual
