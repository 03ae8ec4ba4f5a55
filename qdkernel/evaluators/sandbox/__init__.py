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
from qdkernel.evaluators.sandbox.far_layout import FarLayout, strides_that_may_be_long
from qdkernel.evaluators.sandbox.memory import (
    PAGE,
    BufferAlignment,
    Layout,
    MemoryFile,
    PlacedArray,
    PlacedCall,
    Region,
    poison,
)
from qdkernel.evaluators.sandbox.native_supervisor import DECLARATIONS, Native
from qdkernel.evaluators.sandbox.zero_gap_layout import ZeroGapLayout, lengthened

__all__ = [
    "DECLARATIONS",
    "PAGE",
    "BufferAlignment",
    "Child",
    "ChildCrashed",
    "ChildFailed",
    "ChildStartFailed",
    "ChildTimeout",
    "CpuTimeExceeded",
    "Executable",
    "FarLayout",
    "Layers",
    "Layout",
    "Limits",
    "MemoryFile",
    "Native",
    "PlacedArray",
    "PlacedCall",
    "PrecomputationDetected",
    "Region",
    "ZeroGapLayout",
    "lengthened",
    "poison",
    "strides_that_may_be_long",
]
