"""What differs between processors in reading machine code."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from qdkernel.evaluators.binary import aarch64, x86_64
from qdkernel.evaluators.binary.control_flow import Branches, Instruction
from qdkernel.evaluators.binary.operations import Access, Arithmetic
from qdkernel.evaluators.binary.references import Leads, Targets, leads_on_aarch64, leads_on_x86_64


@dataclass(frozen=True)
class Processor:
    """How the instructions of an architecture are read.

    Attributes:
        name: as ``platform.machine()`` names it.
        branches: jumps and the ends of basic blocks.
        arithmetic: the floating-point work of an instruction; ``None`` for everything else.
        vector_access: numbers of the vector registers that an instruction reads and writes.
        copies: whether an instruction loads elements from memory, and whether it stores some, as loops that copy do.
        access: how an instruction uses memory.
        prefetch: ``near`` for a prefetch into the first-level cache, ``far`` for one beyond or a store past the caches.
        forbidden: whether a kernel may not use an instruction.
        reserves: bytes by which an instruction extends the stack; infinite when a register has their number.
        padding: what may lie between functions.
        engine: capstone for its instructions.
        leads: where the instructions of a function lead.
        stubs: address -> imported symbol of each stub in a linker's table, given what the global offset table holds;
            none where calls do without.
    """

    name: str
    branches: Branches
    arithmetic: Callable[[Instruction], Arithmetic | None]
    vector_access: Callable[[Instruction], tuple[set[int], set[int]]]
    copies: Callable[[Instruction], tuple[bool, bool]]
    access: Callable[[Instruction], Access]
    prefetch: Callable[[Instruction], str | None]
    forbidden: Callable[[Instruction], bool]
    reserves: Callable[[Instruction], float]
    padding: re.Pattern[bytes]
    engine: Callable[[], Any]  # Any: capstone has no types
    leads: Callable[[tuple[Instruction, ...], Targets], Leads]
    stubs: Callable[[Sequence[Instruction], Mapping[int, str]], dict[int, str]]

    def carried_registers(self, instructions: Iterable[Instruction]) -> frozenset[int]:
        """Vector registers that carry a floating-point sum from one iteration of a loop to the next.

        A register counts when it is read before it is written, takes part in arithmetic, and what is written into it
        comes from arithmetic or from another register. One that is only loaded ahead for the next iteration does not
        count.

        Args:
            instructions: of one iteration, in order.
        """
        written: set[int] = set()
        live_in: set[int] = set()
        calculated: set[int] = set()
        used: set[int] = set()
        for instruction in instructions:
            reads, writes = self.vector_access(instruction)
            live_in.update(reads - written)
            works = self.arithmetic(instruction) is not None
            if works:
                used |= reads | writes
            if works or (reads and "[" not in instruction.operands):
                calculated |= writes
            written |= writes
        return frozenset(live_in & calculated & used)


def _x86_64_engine() -> Any:  # Any: see Processor
    import capstone  # 30 ms, and only workers disassemble

    return capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)


def _aarch64_engine() -> Any:  # Any: see Processor
    import capstone

    return capstone.Cs(capstone.CS_ARCH_ARM64, capstone.CS_MODE_ARM)


X86_64 = Processor(
    name="x86_64",
    branches=x86_64.BRANCHES,
    arithmetic=x86_64.arithmetic,
    vector_access=x86_64.vector_access,
    copies=x86_64.copies,
    access=x86_64.access,
    prefetch=x86_64.prefetch,
    forbidden=x86_64.forbidden,
    reserves=x86_64.reserves,
    padding=x86_64.PADDING,
    engine=_x86_64_engine,
    leads=leads_on_x86_64,
    stubs=lambda instructions, got: {},
)


def aarch64_with(scalable_bits: int) -> Processor:
    """An aarch64 processor whose SVE registers have this many bits; 128 where it has none."""
    return Processor(
        name="aarch64",
        branches=aarch64.BRANCHES,
        arithmetic=partial(aarch64.arithmetic, scalable_bits=scalable_bits),
        vector_access=aarch64.vector_access,
        copies=aarch64.copies,
        access=partial(aarch64.access, scalable_bits=scalable_bits),
        prefetch=aarch64.prefetch,
        forbidden=aarch64.forbidden,
        reserves=aarch64.reserves,
        padding=aarch64.PADDING,
        engine=_aarch64_engine,
        leads=leads_on_aarch64,
        stubs=aarch64.stubs,
    )
