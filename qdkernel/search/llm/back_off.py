"""Back-off of one endpoint: when it gets no requests for a while or for good, and the text that reports it."""

from __future__ import annotations

from dataclasses import dataclass

from qdkernel.llm import FailureKind

_LONGEST_S = 600.0  # heuristic: a provider's bad quarter of an hour should not cost the whole run
_PERMANENT = (FailureKind.KEY, FailureKind.REJECTED)  # waiting does not end these


@dataclass
class BackOff:
    """The failures of one model in a row, and what follows from them.

    Every kind of failure counts: a model whose replies are all empty, filtered, too long or unreadable is as useless
    as one that cannot be reached, and costs money.

    Attributes:
        after: failures in a row that start a back-off.
        first_s: seconds of the first back-off; each further one is twice as long, up to 10 minutes.
        failures: in a row.
        permanent_failures: in a row that no waiting ends.
        back_offs: since the last good reply.
        available_at: ``time.monotonic()`` at which the latest back-off ends.
        disabled_reason: why the model is not asked any more; empty while it is.
    """

    after: int
    first_s: float
    failures: int = 0
    permanent_failures: int = 0
    back_offs: int = 0
    available_at: float = 0.0
    disabled_reason: str = ""

    def active(self, now: float) -> bool:
        """Whether the model may be asked again later, but not yet."""
        return self.available_at > now and not self.disabled_reason

    def permits(self, now: float) -> bool:
        """Whether the model may be asked now."""
        return self.available_at <= now and not self.disabled_reason

    def succeeded(self) -> bool:
        """Counts a good reply; true when it ends a back-off, or comes from a model that was not asked any more."""
        is_back = bool(self.back_offs or self.disabled_reason)
        self.failures = self.permanent_failures = self.back_offs = 0
        self.available_at, self.disabled_reason = 0.0, ""
        return is_back

    def failed(self, kind: FailureKind, reason: str, now: float) -> str:
        """Counts a failure.

        Args:
            kind: of the failure.
            reason: its text, one line.
            now: ``time.monotonic()``.

        Returns:
            What follows from it, as a clause after the model's name; empty for nothing.
        """
        self.failures += 1
        self.permanent_failures = self.permanent_failures + 1 if kind in _PERMANENT else 0
        if self.disabled_reason:
            return ""  # this request was under way when the model was disabled
        if self.permanent_failures >= self.after:
            self.disabled_reason = reason
            return f"is not asked any more: {reason}"
        if self.failures < self.after or self.available_at > now:
            return ""
        back_off_s = min(self.first_s * 2**self.back_offs, _LONGEST_S)
        self.back_offs += 1
        self.available_at = now + back_off_s
        count = f"{self.failures} failure{'s' if self.failures > 1 else ''} in a row"
        return f"backs off for {back_off_s:.0f} s after {count} ({reason}); the run continues without it"
