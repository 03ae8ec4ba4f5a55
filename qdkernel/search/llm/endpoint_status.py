"""Whether a model can be asked: request slots, the most a request can cost, back-off after failures."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from qdkernel.llm import Endpoint, TokenUsage
from qdkernel.search.llm.back_off import BackOff
from qdkernel.search.llm.budget import Usage


@dataclass
class EndpointStatus:
    """The state of one endpoint.

    Attributes:
        endpoint: the client.
        slots: its requests at once.
        back_off: after failures.
        max_cost: the most that the next request can cost.
        busy: conversations under way.
        prompt_factor: tokens of a prompt by the server's count over those by estimate, the largest ratio so far.
        longest_reply: tokens of the longest reply so far.
    """

    endpoint: Endpoint
    slots: threading.Semaphore
    back_off: BackOff
    max_cost: Usage = field(default_factory=Usage)
    busy: int = 0
    prompt_factor: float = 1.0
    longest_reply: int = 0

    @property
    def parallel(self) -> int:
        """Conversations at once; after a back-off one request tries whether the endpoint is back.

        One conversation in four more than there are slots stands by, so that a slot is filled as soon as it is free,
        even while the main thread waits for an evaluation.
        """
        slots = self.endpoint.spec.parallel
        return 1 if self.back_off.back_offs else slots + slots // 4

    def free(self, now: float) -> bool:
        """Whether a conversation can begin, as far as the budget permits."""
        return self.back_off.permits(now) and self.busy < self.parallel

    def cost_at_most(self, prompt_tokens: int) -> Usage:
        """The most that a request with a prompt of so many tokens, by estimate, can cost."""
        spec = self.endpoint.spec
        prompt = round(prompt_tokens * self.prompt_factor)
        reply = max(self.endpoint.max_tokens, self.longest_reply)
        return Usage(1, prompt + reply, (prompt * spec.input_price + reply * spec.output_price) / 1e6)

    def learn(self, prompt_tokens: int, usage: TokenUsage, attempts: int) -> None:
        """Raises the bound where a server counts more tokens than were estimated, or exceeds its token limit."""
        if attempts == 1 and not usage.estimated_tokens:
            self.prompt_factor = max(self.prompt_factor, usage.prompt_tokens / max(1, prompt_tokens))
            self.longest_reply = max(self.longest_reply, usage.completion_tokens)
