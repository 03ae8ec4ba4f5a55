"""What one instruction does, in terms that all processors share."""

from __future__ import annotations

from typing import NamedTuple


class Arithmetic(NamedTuple):
    """Floating-point work of one instruction.

    Attributes:
        width: bits of the vector; 0 for scalar arithmetic.
        flops: operations, a fused multiply-add counted as two per lane.
        sums: whether it adds or subtracts, alone or fused.
    """

    width: int
    flops: int
    sums: bool


class Access(NamedTuple):
    """How an instruction uses memory.

    Attributes:
        loads: whether it reads memory, as arithmetic with a memory operand also does; prefetches do not.
        stores: whether it writes memory.
        spills: whether it moves a vector register to or from the stack: there are too few for what is kept in them.
        broadcasts: whether it copies one element from memory into a whole vector.
        stored_bytes: that it writes.
    """

    loads: bool = False
    stores: bool = False
    spills: bool = False
    broadcasts: bool = False
    stored_bytes: int = 0
