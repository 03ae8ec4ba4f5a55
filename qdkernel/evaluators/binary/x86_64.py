"""What single x86-64 instructions do: jumps, floating-point numbers, caches; and those that kernels may not use."""

from __future__ import annotations

import math
import re
from functools import cache

from qdkernel.evaluators.binary.control_flow import Branches, Instruction
from qdkernel.evaluators.binary.operations import Access, Arithmetic

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


_FORBIDDEN = frozenset({
    "syscall", "sysenter", "sysexit", "sysret", "int", "int1", "int3", "into", "iret", "iretd", "iretq", "rdtsc",
    "rdtscp", "rdpmc", "rdpru", "cpuid", "ldmxcsr", "vldmxcsr", "fldcw", "fldenv", "frstor", "fnstenv", "fxrstor",
    "fxrstor64", "xrstor", "xrstor64", "xrstors", "xsetbv", "wrfsbase", "wrgsbase", "rdfsbase", "rdgsbase", "wrpkru",
    "rdpkru", "xbegin", "xabort", "xend", "hlt", "in", "out", "insb", "insw", "insd", "outsb", "outsw", "outsd",
    "lcall", "ljmp", "retf", "retfq", "cli", "sti", "rdmsr", "wrmsr", "monitorx", "mwaitx", "umonitor", "umwait",
    "tpause", "swapgs", "clzero", "serialize", "rdseed", "rdrand",
    # Both kernels of a round read the same inputs: the first could slow the second by dropping them from the caches.
    "clflush", "clflushopt", "clwb", "cldemote",
})  # fmt: skip
_MEMORY = re.compile(r"\bptr (?:[c-gs]s:)?\[")
_STACK = re.compile(r"\bptr \[r[sb]p\b")
_MOVE = re.compile(r"v?p?(?:mask)?mov")
_OPERAND_BYTES = {"zmmword": 64, "ymmword": 32, "xmmword": 16, "qword": 8, "dword": 4, "word": 2, "byte": 1}
_FRAME = re.compile(r"rsp, (0x[0-9a-f]+|\d+)")
PADDING = re.compile(rb"(?:\x66|\x2e|\x0f\x1f.|\x90|\x00|\xcc)*", re.DOTALL)
"""What lies between functions."""


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


def vector_access(instruction: Instruction) -> tuple[set[int], set[int]]:
    """Numbers of the vector registers that an instruction reads and writes."""
    if "mm" not in instruction.operands:
        return set(), set()
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


def jump_target(instruction: Instruction) -> int | None:
    """Where a direct jump or call goes; ``None`` for every other instruction."""
    if instruction.operands.startswith("0x"):
        kind = instruction.mnemonic.split()[-1]
        if kind[0] == "j" or kind in ("call", "loop", "loope", "loopne", "xbegin"):
            return int(instruction.operands, 16)
    return None


def leaves(mnemonic: str) -> bool:
    """Whether control never reaches the next instruction."""
    return mnemonic in ("ret", "ud2", "jmp", "hlt", "int3") or mnemonic.endswith((" ret", " jmp"))


def ends_block(mnemonic: str) -> bool:
    """Whether a basic block ends behind an instruction: it jumps, or control does not go on."""
    return mnemonic[0] == "j" or mnemonic.startswith("loop") or leaves(mnemonic)


def is_call(mnemonic: str) -> bool:
    """Whether a mnemonic calls."""
    return mnemonic.endswith("call")


BRANCHES = Branches(jump_target, ends_block, leaves, is_call)


def copies(instruction: Instruction) -> tuple[bool, bool]:
    """Whether the instruction loads elements from memory, and whether it stores some."""
    target, _, source = instruction.operands.partition(", ")
    loads = "[" in source and "mm" in target
    if "mov" in instruction.mnemonic or "broadcast" in instruction.mnemonic or "[" in target:
        return loads or "[" in source, "[" in target
    return loads, False


def access(instruction: Instruction) -> Access:
    """How the instruction uses memory."""
    mnemonic, operands = instruction.mnemonic, instruction.operands
    if not _MEMORY.search(operands) or mnemonic.startswith(("lea", "prefetch", "nop")):
        return Access()
    first = operands.partition(",")[0]
    # Memory as the first operand of anything else, such as a comparison, is only read.
    stores = bool((_MOVE.match(mnemonic) or mnemonic.startswith("vextract")) and _MEMORY.search(first))
    return Access(
        loads=not stores,
        stores=stores,
        spills=_STACK.search(operands) is not None and "mm" in operands,
        broadcasts=not stores and ("broadcast" in mnemonic or "{1to" in operands),
        stored_bytes=_OPERAND_BYTES.get(first.partition(" ptr ")[0], 0) if stores else 0,
    )


def prefetch(instruction: Instruction) -> str | None:
    """``near`` for a prefetch into the first-level cache, ``far`` for one beyond or a store past the caches."""
    mnemonic = instruction.mnemonic
    if mnemonic in NEAR_PREFETCH:
        return "near"
    far = mnemonic in FAR_PREFETCH or ("movnt" in mnemonic and is_streaming_store(mnemonic))
    return "far" if far else None


def forbidden(instruction: Instruction) -> bool:
    """Whether a kernel may not use the instruction."""
    mnemonic = instruction.mnemonic
    return mnemonic in _FORBIDDEN or (" " in mnemonic and not _FORBIDDEN.isdisjoint(mnemonic.split()))


def reserves(instruction: Instruction) -> float:
    """Bytes by which the instruction extends the stack; infinite when a register has their number."""
    if instruction.mnemonic != "sub" or not instruction.operands.startswith("rsp, "):
        return 0.0
    match = _FRAME.fullmatch(instruction.operands)
    return int(match[1], 0) if match else math.inf
