"""When a model that fails is rested, when it is given up, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass

from qdkernel.llm import FailureKind

_LONGEST_REST_S = 600.0  # by thought: a provider's bad quarter of an hour should not cost the whole run
_HOPELESS = (FailureKind.KEY, FailureKind.REJECTED)  # waiting does not mend these


@dataclass
class EndpointHealth:
    """The failures of one model in a row, and what followed from them.

    Every kind of failure counts: a model whose replies are all empty, filtered, too long or unreadable is as useless
    as one that cannot be reached, and is paid for.

    Attributes:
        rest_after: failures in a row that send it to rest.
        rest_s: seconds of its first rest; each further one is twice as long, up to 10 minutes.
        failures: in a row.
        hopeless_failures: in a row that no waiting mends.
        rests: since it last answered.
        awake_at: of the monotonic clock, when its rest ends.
        given_up: why it is not asked any more; empty while it is.
    """

    rest_after: int
    rest_s: float
    failures: int = 0
    hopeless_failures: int = 0
    rests: int = 0
    awake_at: float = 0.0
    given_up: str = ""

    def succeeded(self) -> bool:
        """Notes a good reply; true when it ends a rest, or comes from a model that was given up."""
        is_back = bool(self.rests or self.given_up)
        self.failures = self.hopeless_failures = self.rests = 0
        self.awake_at, self.given_up = 0.0, ""
        return is_back

    def failed(self, kind: FailureKind, reason: str, now: float) -> str:
        """Notes a failure; what follows from it, to be told after the model's name; empty when nothing does.

        Args:
            kind: of the failure.
            reason: one line.
            now: of the monotonic clock.
        """
        self.failures += 1
        self.hopeless_failures = self.hopeless_failures + 1 if kind in _HOPELESS else 0
        if self.given_up:
            return ""  # it does not rest any more; this request was under way
        if self.hopeless_failures >= self.rest_after:
            self.given_up = reason
            return f"is given up: {reason}"
        if self.failures < self.rest_after or self.awake_at > now:
            return ""
        rest_s = min(self.rest_s * 2**self.rests, _LONGEST_REST_S)
        self.rests += 1
        self.awake_at = now + rest_s
        count = f"{self.failures} failure{'s' if self.failures > 1 else ''} in a row"
        return f"rests for {rest_s:.0f} s after {count} ({reason}); the run goes on without it"
