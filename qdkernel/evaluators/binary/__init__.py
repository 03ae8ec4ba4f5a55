"""Shared objects: sections, disassembly, control flow, object policy."""

from qdkernel.evaluators.binary.aarch64 import scalable_bits
from qdkernel.evaluators.binary.control_flow import Instruction, Loop
from qdkernel.evaluators.binary.disassembly import Disassembly, Function, disassemble
from qdkernel.evaluators.binary.line_table import source_lines
from qdkernel.evaluators.binary.policy import refuse_object
from qdkernel.evaluators.binary.processor import X86_64, Processor
from qdkernel.evaluators.binary.shared_object import CodeFunction, Section, SharedObject, read_shared_object

__all__ = [
    "X86_64",
    "CodeFunction",
    "Disassembly",
    "Function",
    "Instruction",
    "Loop",
    "Processor",
    "Section",
    "SharedObject",
    "disassemble",
    "read_shared_object",
    "refuse_object",
    "scalable_bits",
    "source_lines",
]
