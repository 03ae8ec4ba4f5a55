"""The operators by name."""

from __future__ import annotations

from collections.abc import Callable

from qdkernel.mutators.contract import Mutator
from qdkernel.mutators.schedule import ScheduleMutator, TuneMutator

MUTATORS: dict[str, Callable[[], Mutator]] = {
    "schedule": ScheduleMutator,
    "tune": TuneMutator,
}
"""Constructors of the operators that need no model, by registry name, as in a configuration."""

MODEL_OPERATORS = ("edit", "rewrite", "cross", "plan")
"""Operators that a configuration can list and that need a model."""
