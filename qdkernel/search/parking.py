"""Models' kernels that the host was too busy to time: they wait, and are evaluated again later."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from qdkernel.core import Evaluation, Outcome, Proposal

_MOST_TRIES = (
    12  # heuristic: with the pauses below about ten minutes; a kernel that always fails so must not block a run
)
_PAUSE_S = 2.0  # before the second try, doubled before each further one up to the longest
_LONGEST_PAUSE_S = 60.0  # disturbances of shared hosts last for tens of seconds


class Parking:
    """Evaluations under way that wait for a quieter host.

    A model's reply is paid for, so ``lost`` does not end it as it ends a built-in operator's kernel.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tries: Counter[int] = Counter()
        self._due: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._due)

    def park(self, number: int, proposal: Proposal, evaluation: Evaluation) -> bool:
        """Parks a model's kernel that was lost; false when the evaluation counts as it is.

        Args:
            number: of the proposal.
            proposal: with its origin.
            evaluation: how the last try ended.
        """
        arm = proposal.provenance.arm
        if evaluation.outcome is not Outcome.LOST or arm is None or not arm.model:
            return False
        self._tries[number] += 1
        if self._tries[number] >= _MOST_TRIES:
            return False
        pause_s = min(_LONGEST_PAUSE_S, _PAUSE_S * 2 ** (self._tries[number] - 1))
        self._due[number] = self._clock() + pause_s
        return True

    def next(self) -> int | None:
        """The proposal whose pause ended first, no longer parked; ``None`` while all pause."""
        if self.pause_s > 0:
            return None
        number = min(self._due, key=lambda parked: self._due[parked])
        del self._due[number]
        return number

    @property
    def pause_s(self) -> float:
        """Seconds until the first pause ends; infinite when nothing is parked."""
        return max(0.0, min(self._due.values(), default=float("inf")) - self._clock())
