"""Whether a model can be asked: request slots, the most a request can cost, back-off after failures."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from qdkernel.config import LlmConfig
from qdkernel.llm import Endpoint, FailureKind
from qdkernel.search.llm_budget import Usage

_LONGEST_BACK_OFF_S = 600.0  # heuristic: a provider's bad quarter of an hour should not cost the whole run
_PERMANENT = (FailureKind.KEY, FailureKind.REJECTED)  # waiting does not end these
_OF_ONE_PROMPT = (FailureKind.CONTENT_FILTERED, FailureKind.TOO_LONG, FailureKind.EMPTY)  # the endpoint works


@dataclass
class EndpointStatus:
    """The state of one endpoint.

    Attributes:
        endpoint: the client.
        max_cost: the most that the next request can cost.
        slots: its requests at once.
        busy: conversations under way.
        failures: failed conversations in a row.
        back_offs: back-offs in a row.
        available_at: ``time.monotonic()`` at which the latest back-off ends.
        disabled_reason: why it is not asked any more; empty while it is.
    """

    endpoint: Endpoint
    max_cost: Usage
    slots: threading.Semaphore
    busy: int = 0
    failures: int = 0
    back_offs: int = 0
    available_at: float = 0.0
    disabled_reason: str = ""

    @property
    def parallel(self) -> int:
        """Conversations at once; after a back-off one request tries whether the endpoint is back.

        One conversation in four more than there are slots stands by, so that a slot is filled as soon as it is free,
        even while the main thread waits for an evaluation.
        """
        slots = self.endpoint.spec.parallel
        return 1 if self.back_offs else slots + slots // 4

    def backing_off(self, now: float) -> bool:
        """Whether it waits for the end of a back-off."""
        return self.available_at > now and not self.disabled_reason

    def free(self, now: float) -> bool:
        """Whether a conversation can begin, as far as the budget permits."""
        return not self.disabled_reason and self.available_at <= now and self.busy < self.parallel

    def record(self, failure: FailureKind | None, reason: str, config: LlmConfig, now: float) -> str:
        """Counts how a conversation ended.

        Args:
            failure: why there was no usable reply; ``None`` when there was one.
            reason: the failure's text.
            config: says after how many failures the endpoint backs off, and for how long at first.
            now: ``time.monotonic()``.

        Returns:
            What the user should know of it; empty for nothing.
        """
        name = self.endpoint.spec.name
        if failure is FailureKind.CANCELLED:
            return ""
        if failure is None or failure in _OF_ONE_PROMPT:
            back = self.back_offs > 0
            self.failures = self.back_offs = 0
            return f"model {name} answers again" if back else ""
        self.failures += 1
        if self.failures < config.rest_after:
            return ""
        if failure in _PERMANENT and not self.disabled_reason:
            self.disabled_reason = reason
            return f"model {name} is not asked any more: {reason}"
        if self.available_at > now:
            return ""
        back_off_s = min(config.rest_s * 2**self.back_offs, _LONGEST_BACK_OFF_S)
        self.back_offs += 1
        self.available_at = now + back_off_s
        return (
            f"model {name} backs off for {back_off_s:.0f} s after {self.failures} failures in a row ({reason}); "
            "the run goes on without it"
        )


def max_cost(endpoint: Endpoint, prompt_tokens: int) -> Usage:
    """The most that a request with a prompt of so many tokens can cost."""
    spec = endpoint.spec
    usd = (prompt_tokens * spec.input_price + spec.max_tokens * spec.output_price) / 1e6
    return Usage(1, prompt_tokens + spec.max_tokens, usd)
