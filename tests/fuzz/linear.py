"""Whether the time of a reader is in proportion to the length of its text, told from processor time at two lengths."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

FACTOR = 8
"""The long text is this many times as long as the short one."""
LIMIT = 3 * FACTOR
"""Growth of time above which it counts as more than linear; a quadratic part that matters grows by ``FACTOR ** 2``."""
_LENGTH = 1_000  # characters of the short text
_ROUNDS = 12  # noise only adds to a time, so the least of several converges


def growth(read: Callable[[str], object], unit: str, head: str) -> float:
    """How many times longer ``read`` takes for a text of ``FACTOR`` times the length; ends once it is below ``LIMIT``.

    Args:
        read: the reader; every round gives it other texts, so that none is remembered.
        unit: what the text repeats.
        head: what it begins with.
    """
    least = {1: math.inf, FACTOR: math.inf}
    for number in range(_ROUNDS):
        for factor in least:
            text = head + unit * (factor * _LENGTH // len(unit) + number)
            began = time.thread_time_ns()
            read(text)
            least[factor] = min(least[factor], time.thread_time_ns() - began)
        if least[FACTOR] <= LIMIT * least[1]:
            break
    return least[FACTOR] / least[1]
