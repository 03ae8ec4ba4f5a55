"""Operators that propose kernels."""

from collections.abc import Callable

from qdkernel.mutators._conversation import converse
from qdkernel.mutators._endpoint import Endpoint, EndpointSpec
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
from qdkernel.mutators._portfolio import MODEL_OPERATORS, Arm, ArmRow, ParentLedger, Portfolio
from qdkernel.mutators._prompt import compose, compose_program
from qdkernel.mutators._prompt_fit import estimate_tokens
from qdkernel.mutators._prompt_log import LogLine, compose_reflect, compose_revise, log_line
from qdkernel.mutators._prompt_pool import PromptPool, Section
from qdkernel.mutators._prompt_repair import compose_repair
from qdkernel.mutators._proposal import Brief, Elite, Mutator, Notes, Proposal, Setback, Sweep, Yardstick
from qdkernel.mutators._schedule import ScheduleMutator
from qdkernel.mutators._stages import Advance, Stage, StageClock, StageOrder, StagePlan
from qdkernel.mutators._tune import TuneMutator, tunables, with_values

MUTATORS: dict[str, Callable[[], Mutator]] = {
    "schedule": ScheduleMutator,
    "tune": TuneMutator,
}
"""Constructors of the operators that need no model, by registry name, as in a configuration."""

__all__ = [
    "MODEL_OPERATORS",
    "MUTATORS",
    "Advance",
    "Arm",
    "ArmRow",
    "Ask",
    "Assignment",
    "Brief",
    "CallFailed",
    "Completion",
    "Elite",
    "Ending",
    "Endpoint",
    "EndpointSpec",
    "Expect",
    "FailureKind",
    "LogLine",
    "Message",
    "Mutator",
    "Notes",
    "ParentLedger",
    "Portfolio",
    "PromptPool",
    "Proposal",
    "ScheduleMutator",
    "Section",
    "Setback",
    "Stage",
    "StageClock",
    "StageOrder",
    "StagePlan",
    "Strategy",
    "Sweep",
    "TuneMutator",
    "Yardstick",
    "compose",
    "compose_program",
    "compose_reflect",
    "compose_repair",
    "compose_revise",
    "converse",
    "estimate_tokens",
    "log_line",
    "tunables",
    "with_values",
]
