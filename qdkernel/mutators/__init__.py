"""Operators that propose kernels, and their registry."""

from qdkernel.mutators.contract import (
    Attempt,
    Brief,
    Draft,
    Drafter,
    Elite,
    InFlight,
    Mutator,
    RecentFailure,
    ReferenceSpeeds,
    StrategyResult,
    Sweep,
    drafter_of,
)
from qdkernel.mutators.llm.prompts import MODEL_OPERATORS, ModelOperator
from qdkernel.mutators.registry import (
    BUILT_IN,
    MUTATORS,
    OPERATORS,
    SEED,
    AgentOperator,
    BuiltInOperator,
    Operator,
    names_in_words,
)

__all__ = [
    "BUILT_IN",
    "MODEL_OPERATORS",
    "MUTATORS",
    "OPERATORS",
    "SEED",
    "AgentOperator",
    "Attempt",
    "Brief",
    "BuiltInOperator",
    "Draft",
    "Drafter",
    "Elite",
    "InFlight",
    "ModelOperator",
    "Mutator",
    "Operator",
    "RecentFailure",
    "ReferenceSpeeds",
    "StrategyResult",
    "Sweep",
    "drafter_of",
    "names_in_words",
]
