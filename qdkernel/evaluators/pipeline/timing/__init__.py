"""Steps 7 and 8: how long a kernel is timed against the baseline and the incumbent, and what is plausible."""

from qdkernel.evaluators.pipeline.timing.challenger import object_of, remeasure_timing, time_challenger
from qdkernel.evaluators.pipeline.timing.duels import duel, fault_of, is_ahead, pool_duels
from qdkernel.evaluators.pipeline.timing.estimates import first_calls_ns
from qdkernel.evaluators.pipeline.timing.plausibility import PEAK_MARGIN

__all__ = [
    "PEAK_MARGIN",
    "duel",
    "fault_of",
    "first_calls_ns",
    "is_ahead",
    "object_of",
    "pool_duels",
    "remeasure_timing",
    "time_challenger",
]
