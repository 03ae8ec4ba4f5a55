"""Operators that propose kernels."""

from collections.abc import Callable

from qdkernel.mutators._proposal import Brief, Elite, Mutator, Notes, Proposal
from qdkernel.mutators._schedule import ScheduleMutator
from qdkernel.mutators._tune import TuneMutator

MUTATORS: dict[str, Callable[[], Mutator]] = {
    "schedule": ScheduleMutator,
    "tune": TuneMutator,
}
"""Constructors by registry name, as in a configuration."""

__all__ = ["MUTATORS", "Brief", "Elite", "Mutator", "Notes", "Proposal", "ScheduleMutator", "TuneMutator"]
