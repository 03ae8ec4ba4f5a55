"""The contained child process, its memory and its limits."""

from qdkernel.evaluators.sandbox.child import Child, Executable, Layers, Limits
from qdkernel.evaluators.sandbox.failures import (
    ChildCrashed,
    ChildFailed,
    ChildStartFailed,
    ChildTimeout,
    CpuTimeExceeded,
    PrecomputationDetected,
)
from qdkernel.evaluators.sandbox.memory import (
    BufferAlignment,
    Layout,
    MemoryFile,
    PlacedArray,
    PlacedCall,
    Region,
    poison,
)
from qdkernel.evaluators.sandbox.native_supervisor import DECLARATIONS, Native

__all__ = [
    "DECLARATIONS",
    "BufferAlignment",
    "Child",
    "ChildCrashed",
    "ChildFailed",
    "ChildStartFailed",
    "ChildTimeout",
    "CpuTimeExceeded",
    "Executable",
    "Layers",
    "Layout",
    "Limits",
    "MemoryFile",
    "Native",
    "PlacedArray",
    "PlacedCall",
    "PrecomputationDetected",
    "Region",
    "poison",
]
