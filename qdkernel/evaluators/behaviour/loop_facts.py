"""What one iteration of the hot loop executes, counted in its machine code."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from qdkernel.evaluators.binary import Instruction, Processor

_FUSED = re.compile(r"v?fn?m(?:add|sub|la|ls|ad|sb)")


@dataclass(frozen=True)
class LoopFacts:
    """Counts for one iteration, inner loops left out.

    Attributes:
        instructions: all of them.
        fused: fused multiply-adds, scalar or vector.
        arithmetic: floating-point operations of every kind, the fused ones included, as instructions.
        loads: instructions that read memory, arithmetic with a memory operand included; prefetches are none.
        stores: instructions that write memory.
        spills: loads and stores of vector registers on the stack: too few registers for what is kept in them.
        broadcasts: loads that copy one element into a whole vector.
    """

    instructions: int
    fused: int
    arithmetic: int
    loads: int
    stores: int
    spills: int
    broadcasts: int

    def __str__(self) -> str:
        """A line for people and models, e.g. ``12 fused multiply-adds, 8 loads (6 broadcasts), 0 stores, ...``."""
        work = f"{self.fused} fused multiply-adds" if self.fused else f"{self.arithmetic} arithmetic instructions"
        if self.fused and self.arithmetic > self.fused:
            work += f" and {self.arithmetic - self.fused} other arithmetic instructions"
        broadcasts = f" ({self.broadcasts} broadcasts)" if self.broadcasts else ""
        return (
            f"{work}, {self.loads} loads{broadcasts}, {self.stores} stores, {self.spills} spills, "
            f"{self.instructions} instructions per iteration"
        )


def loop_facts(instructions: Iterable[Instruction], processor: Processor) -> LoopFacts:
    """The counts of the instructions of one iteration."""
    listed = tuple(instructions)
    accesses = [processor.access(each) for each in listed]
    return LoopFacts(
        instructions=len(listed),
        fused=sum(_FUSED.match(each.mnemonic) is not None for each in listed),
        arithmetic=sum(processor.arithmetic(each) is not None for each in listed),
        loads=sum(access.loads for access in accesses),
        stores=sum(access.stores for access in accesses),
        spills=sum(access.spills for access in accesses),
        broadcasts=sum(access.broadcasts for access in accesses),
    )
