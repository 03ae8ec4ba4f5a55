"""The operators by name, built-in ones and those that ask a model alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from qdkernel.mutators.contract import Mutator, by_name
from qdkernel.mutators.llm.prompts import MODEL_OPERATORS, ModelOperator
from qdkernel.mutators.schedule import ScheduleMutator, TuneMutator


@dataclass(frozen=True)
class BuiltInOperator:
    """An operator that needs no model.

    Attributes:
        name: registry name, as in a configuration.
        help: what it does, a phrase.
        create: constructor.
        kind: distinguishes it from a ``ModelOperator``.
    """

    name: str
    help: str
    create: Callable[[], Mutator]
    kind: Literal["built-in"] = "built-in"


@dataclass(frozen=True)
class AgentOperator:
    """A program of the user's that edits a kernel in a folder.

    Attributes:
        name: registry name, as in a configuration.
        help: what it does, a phrase.
        kind: distinguishes it from the others.
    """

    name: str
    help: str
    kind: Literal["agent"] = "agent"


Operator = BuiltInOperator | ModelOperator | AgentOperator
"""A declaration; ``kind`` states whether it needs a model, or a program."""


OPERATORS: Mapping[str, Operator] = by_name(
    [
        BuiltInOperator(
            "schedule", "prints kernels from a genome of scheduling choices, or transforms loops", ScheduleMutator
        ),
        BuiltInOperator("tune", "changes the constants that a kernel declares tunable", TuneMutator),
        *MODEL_OPERATORS.values(),
        AgentOperator("agent", "a command-line agent edits an elite in a contained folder"),
    ]
)
"""Every operator that a configuration can list."""

MUTATORS: Mapping[str, Callable[[], Mutator]] = {
    name: operator.create for name, operator in OPERATORS.items() if operator.kind == "built-in"
}
"""Constructors of the operators that need no model."""

SEED = "seed"
"""The name under which a run's seed kernels are stored."""

BUILT_IN = frozenset({SEED, *MUTATORS})
"""Names of proposals that come from no model; a model's may also be called ``program``, by a plan."""


def names_in_words() -> str:
    """The operators with their help, for help texts: ``schedule (...), ...; with a model also edit (...), ...``."""
    built_in, model = (
        ", ".join(f"{name} ({OPERATORS[name].help})" for name in names) for names in (MUTATORS, MODEL_OPERATORS)
    )
    agent = OPERATORS["agent"]
    return f"{built_in}; with a model also {model}; with a command also {agent.name} ({agent.help})"
