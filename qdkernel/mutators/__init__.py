"""Operators that propose kernels."""

from collections.abc import Callable

from qdkernel.mutators._messages import (
    Ask,
    Assignment,
    CallFailed,
    Completion,
    Ending,
    Expect,
    FailureKind,
    Message,
    Strategy,
)
from qdkernel.mutators._proposal import Brief, Elite, Mutator, Notes, Proposal, Setback, Sweep, Yardstick
from qdkernel.mutators._schedule import ScheduleMutator
from qdkernel.mutators._tune import TuneMutator

MUTATORS: dict[str, Callable[[], Mutator]] = {
    "schedule": ScheduleMutator,
    "tune": TuneMutator,
}
"""Constructors by registry name, as in a configuration."""

__all__ = [
    "MUTATORS",
    "Ask",
    "Assignment",
    "Brief",
    "CallFailed",
    "Completion",
    "Elite",
    "Ending",
    "Expect",
    "FailureKind",
    "Message",
    "Mutator",
    "Notes",
    "Proposal",
    "ScheduleMutator",
    "Setback",
    "Strategy",
    "Sweep",
    "TuneMutator",
    "Yardstick",
]
