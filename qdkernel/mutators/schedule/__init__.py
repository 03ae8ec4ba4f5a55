"""Operators that need no model: schedule templates and tunable constants."""

from qdkernel.mutators.schedule.mutator import ScheduleMutator
from qdkernel.mutators.schedule.registry import TEMPLATES, genome_of
from qdkernel.mutators.schedule.template import ScheduleTemplate
from qdkernel.mutators.schedule.tune import TuneMutator, tunables, with_values

__all__ = [
    "TEMPLATES",
    "ScheduleMutator",
    "ScheduleTemplate",
    "TuneMutator",
    "genome_of",
    "tunables",
    "with_values",
]
