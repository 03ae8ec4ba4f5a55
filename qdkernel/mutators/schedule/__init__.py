"""Operators that need no model: schedule templates and tunable constants."""

from qdkernel.mutators.schedule.mutator import ScheduleMutator
from qdkernel.mutators.schedule.tune import TuneMutator, tunables, with_values

__all__ = [
    "ScheduleMutator",
    "TuneMutator",
    "tunables",
    "with_values",
]
