"""Shared objects: sections, disassembly, control flow, object policy."""

from qdkernel.evaluators.binary.control_flow import Instruction, Loop
from qdkernel.evaluators.binary.disassembly import Disassembly, Function, disassemble
from qdkernel.evaluators.binary.line_table import source_lines
from qdkernel.evaluators.binary.policy import refuse_object
from qdkernel.evaluators.binary.shared_object import CodeFunction, Section, SharedObject, read_shared_object
from qdkernel.evaluators.binary.vector_code import (
    FAR_PREFETCH,
    NEAR_PREFETCH,
    arithmetic,
    carried_registers,
    is_streaming_store,
)

__all__ = [
    "FAR_PREFETCH",
    "NEAR_PREFETCH",
    "CodeFunction",
    "Disassembly",
    "Function",
    "Instruction",
    "Loop",
    "Section",
    "SharedObject",
    "arithmetic",
    "carried_registers",
    "disassemble",
    "is_streaming_store",
    "read_shared_object",
    "refuse_object",
    "source_lines",
]
