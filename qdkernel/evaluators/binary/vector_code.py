"""What single x86-64 instructions do with floating-point numbers and with the caches."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from qdkernel.evaluators.binary.control_flow import Instruction

NEAR_PREFETCH = frozenset({"prefetcht0", "prefetchw", "prefetch"})
"""Prefetches into the first-level cache."""
FAR_PREFETCH = frozenset({"prefetcht1", "prefetcht2", "prefetchnta", "prefetchwt1"})
"""Prefetches into an outer cache, or past the caches."""

_STREAMING_STORE = re.compile(r"v?movnt(?!dqa)")  # movntdqa is a load
_ARITHMETIC = re.compile(
    r"v?(?P<what>add|sub|mul|div|sqrt|min|max|hadd|hsub|addsub|f(?:n?m(?:add|sub)|maddsub|msubadd)(?:132|213|231))"
    r"(?P<packed>[ps])(?P<element>[ds])"
)
_VECTOR_REGISTER = re.compile(r"\b[xyz]mm(\d+)")
_WIDTHS = {"x": 128, "y": 256, "z": 512}
# Mnemonics without a leading v that overwrite their first operand; all others without it also read it.
_PLAIN_MOVES = re.compile(
    r"mov(?:ap|up|dqa|dqu|q|d|ddup|sldup|shdup|sd|ss|nt)|cvt|sqrt|rcp|rsqrt|pshuf|lddqu|broadcast"
)


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


def is_streaming_store(mnemonic: str) -> bool:
    """Whether the instruction writes past the caches."""
    return _STREAMING_STORE.match(mnemonic) is not None


def arithmetic(instruction: Instruction) -> Arithmetic | None:
    """The floating-point arithmetic of an instruction; ``None`` for moves, logic and everything else."""
    kind = _kind(instruction.mnemonic)
    if kind is None:
        return None
    per_lane, element_bits, packed, sums = kind
    if not packed:
        return Arithmetic(0, per_lane, sums)
    # The widest register names the width: a horizontal reduction may mix them.
    width = max((_WIDTHS[m[0][0]] for m in _VECTOR_REGISTER.finditer(instruction.operands)), default=128)
    return Arithmetic(width, per_lane * width // element_bits, sums)


@cache
def _kind(mnemonic: str) -> tuple[int, int, bool, bool] | None:
    """(operations per lane, bits of an element, packed, adds or subtracts)."""
    match = _ARITHMETIC.fullmatch(mnemonic)
    if match is None:
        return None
    fused = match["what"][0] == "f"
    sums = fused or "add" in match["what"] or "sub" in match["what"]
    return 2 if fused else 1, 64 if match["element"] == "d" else 32, match["packed"] == "p", sums


def carried_registers(instructions: Iterable[Instruction]) -> frozenset[int]:
    """Vector registers that carry a floating-point sum from one iteration of a loop to the next.

    A register counts when it is read before it is written, takes part in arithmetic, and what is written into it comes
    from arithmetic or from another register. One that is only loaded ahead for the next iteration does not count.

    Args:
        instructions: of one iteration, in order.
    """
    written: set[int] = set()
    live_in: set[int] = set()
    calculated: set[int] = set()
    used: set[int] = set()
    for instruction in instructions:
        if "mm" not in instruction.operands:
            continue
        reads, writes = _access(instruction)
        live_in.update(reads - written)
        works = arithmetic(instruction) is not None
        if works:
            used |= reads | writes
        if works or (reads and "[" not in instruction.operands):
            calculated |= writes
        written |= writes
    return frozenset(live_in & calculated & used)


def _access(instruction: Instruction) -> tuple[set[int], set[int]]:
    """Numbers of the vector registers that an instruction reads and writes."""
    first, _, rest = instruction.operands.partition(", ")
    sources = {int(number) for number in _VECTOR_REGISTER.findall(rest)}
    target = _VECTOR_REGISTER.match(first)
    mnemonic = instruction.mnemonic
    if target is None or not rest:  # a store, or a compare into a mask
        return sources | {int(number) for number in _VECTOR_REGISTER.findall(first)}, set()
    number = int(target[1])
    if "xor" in mnemonic and sources == {number}:
        return set(), {number}  # the idiom for zero
    if _reads_target(mnemonic, first, rest):
        sources.add(number)
    return sources, {number}


def _reads_target(mnemonic: str, first: str, rest: str) -> bool:
    if "{k" in first and "{z}" not in first:
        return True  # lanes that the mask leaves out keep their old value
    if mnemonic[0] == "v":
        return mnemonic.startswith(("vfm", "vfnm", "vpermi2", "vpermt2", "vpternlog", "vpdp", "vdpbf16"))
    if _PLAIN_MOVES.match(mnemonic):
        return mnemonic in ("movsd", "movss") and "[" not in rest
    return True
