"""What single aarch64 instructions do: branches, calls, floating-point numbers (NEON, SVE), prefetches, policy.

Arm Architecture Reference Manual for A-profile (DDI 0487), chapters C6 to C8. Operands as capstone prints them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache

from qdkernel.evaluators.binary.control_flow import Branches, Instruction
from qdkernel.evaluators.binary.operations import Access, Arithmetic

PADDING = re.compile(rb"(?:\x1f\x20\x03\xd5|\x00{4})*", re.DOTALL)
"""What lies between functions: nop and zeros."""

_ELEMENT_BITS = {"b": 8, "h": 16, "s": 32, "d": 64}
_REGISTER = re.compile(r"\b([vzqds])(\d+)(?:\.(\d*)([bhsd]))?")
_DATA = re.compile(r"\b(?P<kind>[xwvzqdshb])(?:\d+|zr)(?:\.(?P<lanes>\d*)(?P<element>[bhsd]))?")
_REGISTER_BYTES = {"q": 16, "x": 8, "d": 8, "w": 4, "s": 4, "h": 2, "b": 1}
_NARROW = re.compile(r"stl?u?x?r([bh])")
_STACK = re.compile(r"\[(?:sp|x29)\b")
_TARGET = re.compile(r"#(0x[0-9a-f]+)$")
_BRANCH = re.compile(r"b(?:\.\w+)?|cbn?z|tbn?z")
_LEAVES = frozenset({"ret", "b", "br", "brk", "udf", "retaa", "retab", "hlt"})
# fmla and fmad (SVE) and fmadd (scalar) fuse; a trailing p adds neighbours.
_ARITHMETIC = re.compile(
    r"f(?:n?m(?:add|sub|la|ls|ad|sb)|(?:add|sub|subr|mul|nmul|mulx|div|divr|sqrt|abd|max|min|maxnm|minnm)(?:p|v|a)?)"
)
_FUSED = re.compile(r"fn?m(?:add|sub|la|ls|ad|sb)$")
_ACCUMULATES = re.compile(r"fn?m(?:la|ls|ad|sb)$|f?ml[as]l|ins$|bsl$|bit$|bif$|fcmla$|fadda$|sdot|udot")
_FRAME = re.compile(r"sp, sp, (?:#(0x[0-9a-f]+|\d+)(, lsl #12)?|x\d+)")
_PREFETCH = re.compile(r"(?:pld|pst)l(?P<level>\d)(?P<policy>keep|strm)")
_FORBIDDEN = frozenset({
    "svc", "hvc", "smc", "hlt", "dcps1", "dcps2", "dcps3", "eret", "eretaa", "eretab", "drps", "msr", "sys",
    "sysl", "at", "dc", "ic", "tlbi", "wfi", "wfe", "wfit", "wfet", "tstart", "tcommit", "tcancel", "ttest",
    "ldtr", "sttr", "ldgm", "stgm", "smstart", "smstop", "addvl_sm",
})  # fmt: skip
# Of the system registers a kernel may read the thread pointer, for thread-local data, and the float control.
_READABLE = frozenset({"tpidr_el0", "fpcr", "fpsr"})


def jump_target(instruction: Instruction) -> int | None:
    """Where a direct branch or call goes; ``None`` for every other instruction."""
    if instruction.mnemonic == "bl" or _BRANCH.fullmatch(instruction.mnemonic):
        match = _TARGET.search(instruction.operands)
        return int(match[1], 16) if match else None
    return None


def leaves(mnemonic: str) -> bool:
    """Whether control never reaches the next instruction."""
    return mnemonic in _LEAVES


def ends_block(mnemonic: str) -> bool:
    """Whether a basic block ends behind an instruction."""
    return leaves(mnemonic) or _BRANCH.fullmatch(mnemonic) is not None


def is_call(mnemonic: str) -> bool:
    """Whether a mnemonic calls."""
    return mnemonic in ("bl", "blr")


BRANCHES = Branches(jump_target, ends_block, leaves, is_call)


def arithmetic(instruction: Instruction, scalable_bits: int) -> Arithmetic | None:
    """The floating-point arithmetic of an instruction; ``None`` for everything else.

    Args:
        instruction: any.
        scalable_bits: of an SVE register, which the code itself may leave open.
    """
    if not _is_arithmetic(instruction.mnemonic):
        return None
    found = _REGISTER.match(instruction.operands)
    if found is None:
        return None
    fused = _FUSED.match(instruction.mnemonic) is not None
    per_lane = 2 if fused else 1
    sums = fused or "add" in instruction.mnemonic or "sub" in instruction.mnemonic
    kind, _, lanes, element = found.groups()
    if element is None:
        return Arithmetic(0, per_lane, sums)
    width = scalable_bits if kind == "z" else 128  # two lanes of float are packed, too
    count = width // _ELEMENT_BITS[element] if kind == "z" else int(lanes or 1)
    return Arithmetic(width, per_lane * count, sums)


@cache
def _is_arithmetic(mnemonic: str) -> bool:
    return _ARITHMETIC.fullmatch(mnemonic) is not None


def vector_access(instruction: Instruction) -> tuple[set[int], set[int]]:
    """Numbers of the vector registers that an instruction reads and writes."""
    numbers = [int(match[2]) for match in _REGISTER.finditer(instruction.operands.partition("[")[0])]
    mnemonic = instruction.mnemonic
    if not numbers or mnemonic.startswith("fcmp"):
        return set(numbers), set()
    if mnemonic.startswith("st"):
        return set(numbers), set()
    if mnemonic.startswith("ld"):
        lane = "}[" in instruction.operands.replace(" ", "")  # one lane is loaded, the others stay
        return (set(numbers) if lane else set()), set(numbers)
    first, *sources = numbers
    if mnemonic in ("eor", "movi") and (not sources or set(sources) == {first}):
        return set(), {first}  # the idioms for zero
    keeps = _ACCUMULATES.match(mnemonic) or "/m" in instruction.operands or _writes_lane(instruction)
    return {*sources, first} if keeps else set(sources), {first}


def _writes_lane(instruction: Instruction) -> bool:
    return instruction.mnemonic == "mov" and re.match(r"v\d+\.[bhsd]\[", instruction.operands) is not None


def copies(instruction: Instruction) -> tuple[bool, bool]:
    """Whether the instruction loads elements from memory, and whether it stores some."""
    if "[" not in instruction.operands:
        return False, False
    return instruction.mnemonic.startswith("ld"), instruction.mnemonic.startswith("st")


def access(instruction: Instruction, scalable_bits: int) -> Access:
    """How the instruction uses memory; a predicated store is taken to write all lanes."""
    loads, stores = copies(instruction)
    if not loads and not stores:
        return Access()
    registers = list(_DATA.finditer(instruction.operands.partition("[")[0]))
    return Access(
        loads=loads,
        stores=stores,
        spills=_STACK.search(instruction.operands) is not None and any(r["kind"] in "vzqds" for r in registers),
        broadcasts=instruction.mnemonic.startswith("ld1r"),
        stored_bytes=sum(_bytes(r, instruction, scalable_bits) for r in registers) if stores else 0,
    )


def _bytes(register: re.Match[str], instruction: Instruction, scalable_bits: int) -> int:
    """Of the part of a register that a store writes."""
    if narrow := _NARROW.fullmatch(instruction.mnemonic):
        return {"b": 1, "h": 2}[narrow[1]]
    if register["kind"] == "z":
        return scalable_bits // 8
    if register["element"]:
        lanes = 1 if "}[" in instruction.operands.replace(" ", "") else int(register["lanes"] or 1)
        return lanes * _ELEMENT_BITS[register["element"]] // 8
    return _REGISTER_BYTES[register["kind"]]


def reserves(instruction: Instruction) -> float:
    """Bytes by which the instruction extends the stack; infinite when a register has their number."""
    match = _FRAME.fullmatch(instruction.operands) if instruction.mnemonic == "sub" else None
    if match is None:
        return 0.0
    return int(match[1], 0) << (12 if match[2] else 0) if match[1] else math.inf


def prefetch(instruction: Instruction) -> str | None:
    """``near`` for a prefetch into the first-level cache, ``far`` for one beyond or a store past the caches."""
    if instruction.mnemonic in ("stnp", "stnt1d", "stnt1w"):
        return "far"
    if not instruction.mnemonic.startswith("prf"):
        return None
    match = _PREFETCH.search(instruction.operands)
    if match is None:
        return None
    return "near" if match["level"] == "1" and match["policy"] == "keep" else "far"


def forbidden(instruction: Instruction) -> bool:
    """Whether a kernel may not use the instruction: system calls, clocks, float modes, cache and system control."""
    if instruction.mnemonic == "mrs":
        return instruction.operands.rpartition(", ")[2].lower() not in _READABLE
    return instruction.mnemonic in _FORBIDDEN


def addresses(instructions: tuple[Instruction, ...]) -> Iterator[tuple[Instruction, int, bool]]:
    """(instruction, address, loaded): what pairs of ``adrp`` and ``add`` or ``ldr`` mean, in order of the code.

    ``loaded`` is true where the pointer at the address is loaded, as through the global offset table.
    """
    pages: dict[str, int] = {}
    for instruction in instructions:
        parts = re.split(r", |\[|\]", instruction.operands)
        if instruction.mnemonic in ("adrp", "adr"):
            pages[parts[0]] = int(parts[1].lstrip("#"), 16)
            if instruction.mnemonic == "adr":
                yield instruction, pages[parts[0]], False
            continue
        given = [part for part in parts if part]
        if instruction.mnemonic in ("add", "ldr") and len(given) >= 2 and given[1] in pages:
            offset = int(given[2].lstrip("#"), 0) if len(given) > 2 and given[2].startswith("#") else 0
            if instruction.mnemonic == "ldr" or len(given) > 2:
                yield instruction, pages[given[1]] + offset, instruction.mnemonic == "ldr"
        pages.pop(given[0] if given else "", None)


def called_symbols(instructions: tuple[Instruction, ...], got: Mapping[int, str]) -> Iterator[tuple[int, str]]:
    """(address, symbol) of calls through a register that was just loaded from the global offset table."""
    loads = {
        instruction.address: got[address]
        for instruction, address, loaded in addresses(instructions)
        if loaded and address in got
    }
    held: dict[str, str] = {}
    for instruction in instructions:
        first = instruction.operands.partition(",")[0]
        if instruction.mnemonic in ("blr", "br"):
            if first in held:
                yield instruction.address, held[first]
        elif instruction.address in loads:
            held[first] = loads[instruction.address]
        else:
            held.pop(first, None)


_STUB = ("adrp", "ldr", "add", "br")
_STUBS_BEGIN = ("stp", *_STUB, "nop", "nop", "nop")


def stubs(instructions: Sequence[Instruction], got: Mapping[int, str]) -> dict[int, str]:
    """Address -> imported symbol of each stub in the linker's procedure linkage table; empty when it is no such table.

    Its form is fixed (ELF for the Arm 64-bit Architecture): eight instructions, then four for each symbol.
    """
    begin = len(_STUBS_BEGIN)
    if tuple(instruction.mnemonic for instruction in instructions[:begin]) != _STUBS_BEGIN:
        return {}
    found = {}
    for at in range(begin, len(instructions), len(_STUB)):
        stub = tuple(instructions[at : at + len(_STUB)])
        slots = [address for _, address, loaded in addresses(stub) if loaded]
        whole = tuple(instruction.mnemonic for instruction in stub) == _STUB and stub[3].operands == "x17"
        if not whole or not slots or slots[0] not in got:
            return {}
        found[stub[0].address] = got[slots[0]]
    return found


def scalable_bits(flags: Sequence[str]) -> int:
    """Bits of an SVE register that the compiler's flags fix; 128, the least there is, where they do not."""
    fixed = [flag.partition("=")[2] for flag in flags if flag.startswith("-msve-vector-bits=")]
    return int(fixed[-1]) if fixed and fixed[-1].isdecimal() else 128
