"""Operators that propose kernels, and their registry."""

from qdkernel.mutators.contract import Brief, Elite, Mutator, Setback, Sweep, Yardstick
from qdkernel.mutators.registry import MODEL_OPERATORS, MUTATORS

__all__ = [
    "Brief",
    "Elite",
    "MODEL_OPERATORS",
    "MUTATORS",
    "Mutator",
    "Setback",
    "Sweep",
    "Yardstick",
]
