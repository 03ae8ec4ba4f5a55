"""The contained child process, its memory and its limits."""

from qdkernel.evaluators.sandbox.child import Child, Executable, Layers, Limits
from qdkernel.evaluators.sandbox.failures import (
    ChildAhead,
    ChildCrashed,
    ChildFailed,
    ChildGreedy,
    ChildLate,
    ChildUnready,
)
from qdkernel.evaluators.sandbox.memory import Layout, MemoryFile, PlacedArray, PlacedCall, Placing
from qdkernel.evaluators.sandbox.native_supervisor import Native

__all__ = [
    "Child",
    "ChildAhead",
    "ChildCrashed",
    "ChildFailed",
    "ChildGreedy",
    "ChildLate",
    "ChildUnready",
    "Executable",
    "Layers",
    "Layout",
    "Limits",
    "MemoryFile",
    "Native",
    "PlacedArray",
    "PlacedCall",
    "Placing",
]
