"""Operators that propose kernels, and their registry."""

from qdkernel.mutators.contract import Brief, Elite, Mutator, RecentFailure, ReferenceSpeeds, Sweep
from qdkernel.mutators.registry import MODEL_OPERATORS, MUTATORS

__all__ = [
    "MODEL_OPERATORS",
    "MUTATORS",
    "Brief",
    "Elite",
    "Mutator",
    "RecentFailure",
    "ReferenceSpeeds",
    "Sweep",
]
