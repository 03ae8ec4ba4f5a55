"""What single instructions do to registers and stack slots, as far as a thread's share is followed through them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from qdkernel.evaluators.binary import Instruction, Processor

_REGISTER_BITS = {
    "ax": "a", "bx": "b", "cx": "c", "dx": "d", "si": "si", "di": "di", "bp": "bp", "sp": "sp",
}  # fmt: skip
_REGISTER = re.compile(r"\b(?:[re]?([abcd]x|si|di|bp|sp)|r(\d+)[dwb]?|([xyz]mm\d+))\b")
_STACK = re.compile(r"\[r[sb]p(?: [+-] (?:0x[0-9a-f]+|\d+))?\]")
_VECTOR_COPY = re.compile(r"v?mov(?:[dq]|dqa|apd|aps)\b")  # the compiler also spills into vector registers
CLOBBERED: Mapping[str, frozenset[str]] = {
    "x86_64": frozenset({"a", "c", "d", "si", "di", "8", "9", "10", "11"}),
    "aarch64": frozenset(str(number) for number in range(19)),
}
"""Registers that a call may change, by processor (System V ABI; AAPCS64); those of its arguments are among them."""
_IGNORED = frozenset({"cmp", "test", "push", "pop", "cdq", "cqo", "cdqe", "nop"})
_ARM_REGISTER = re.compile(r"\b(?:[xw](\d+)|([vqds]\d+))\b")
_ARM_SLOT = re.compile(r"\[(?:sp|x29)(?:, #(?:-?0x[0-9a-f]+|-?\d+))?\]")
_ARM_SLOT_ADDRESS = re.compile(r"(sp|x29), (#-?(?:0x[0-9a-f]+|\d+))")
_ARM_IGNORED = re.compile(r"cmp|cmn|tst|ccmp|ccmn|nop|b$|b\.|cbn?z|tbn?z|ret|br|fc?mp|dmb|dsb|isb|prfm")


class Effect(NamedTuple):
    """What an instruction does to places (registers and stack slots).

    ``kind`` is ``set`` (targets from sources), ``copy`` (the same, unchanged), ``address`` (sources are slots whose
    address is taken), ``call`` (``symbol`` is called and may change the targets; ``value`` has the result), or
    ``divide`` (``value`` by a source).
    """

    kind: str
    address: int
    targets: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    symbol: str = ""
    value: str = ""


def effects_of(processor: Processor) -> Callable[[Instruction, Mapping[int, str]], Effect | None]:
    """``effect(instruction, calls)`` for a processor's code; ``calls``: symbols by the addresses of the calls."""
    return _effect_on_aarch64 if processor.name == "aarch64" else _effect_on_x86_64


def _effect_on_x86_64(instruction: Instruction, calls: Mapping[int, str]) -> Effect | None:
    """What an x86-64 instruction does; ``None`` for nothing that matters here."""
    address, _, mnemonic, operands = instruction
    if mnemonic == "call":
        return Effect("call", address, CLOBBERED["x86_64"], symbol=calls.get(address, ""), value="a")
    if mnemonic in ("idiv", "div"):
        return Effect("divide", address, frozenset("ad"), _places(operands), value="a")
    if mnemonic in _IGNORED or mnemonic[0] == "j" or ("mm" in operands and not _VECTOR_COPY.match(mnemonic)):
        return None
    first, _, rest = operands.partition(", ")
    targets = _places(first)
    if len(targets) != 1 or not rest:
        return None
    if mnemonic == "xor" and first == rest:
        return Effect("set", address, targets)
    if mnemonic == "lea":
        slot = _STACK.fullmatch(rest)
        kind, sources = ("address", frozenset({slot[0]})) if slot else ("set", registers_in(rest))
        return Effect(kind, address, targets, sources)
    if "mov" in mnemonic and not mnemonic.startswith("cmov"):
        return Effect("copy", address, targets, _places(rest))
    sources = registers_in(rest) if mnemonic == "imul" and ", " in rest else _places(rest) | targets
    return Effect("set", address, targets, sources)


@functools.lru_cache(4096)
def _places(operand: str) -> frozenset[str]:
    """The register or stack slot that an operand is; nothing for other memory."""
    if "[" in operand:
        slot = _STACK.search(operand)
        return frozenset({slot[0]} if slot else ())
    return registers_in(operand)


@functools.lru_cache(4096)
def registers_in(operand: str) -> frozenset[str]:
    """The registers that an operand names, by names that do not depend on their width."""
    names = (_REGISTER_BITS[m[1]] if m[1] else m[2] or "v" + m[3][1:] for m in _REGISTER.finditer(operand))
    return frozenset(names)


def _effect_on_aarch64(instruction: Instruction, calls: Mapping[int, str]) -> Effect | None:
    """What an aarch64 instruction does; ``None`` for nothing that matters here."""
    address, _, mnemonic, operands = instruction
    if mnemonic in ("bl", "blr"):
        return Effect("call", address, CLOBBERED["aarch64"], symbol=calls.get(address, ""), value="0")
    if _ARM_IGNORED.match(mnemonic):
        return None
    memory = operands.find("[")
    named = _arm_registers(operands if memory < 0 else operands[:memory])
    if not named:
        return None
    if mnemonic in ("sdiv", "udiv"):
        return Effect("divide", address, frozenset(named[:1]), frozenset(named[2:]), value=named[1])
    slot = _ARM_SLOT.search(operands)
    place = frozenset({slot[0]} if slot else ())
    if mnemonic.startswith("st"):
        return Effect("copy", address, place, frozenset(named)) if slot else None
    if mnemonic.startswith("ld"):
        return Effect("copy", address, frozenset(named), place)
    if mnemonic in ("add", "sub") and (taken := _ARM_SLOT_ADDRESS.search(operands)):
        return Effect("address", address, frozenset(named[:1]), frozenset({f"[{taken[1]}, {taken[2]}]"}))
    kind = "copy" if mnemonic in ("mov", "sxtw", "uxtw", "fmov") else "set"
    return Effect(kind, address, frozenset(named[:1]), frozenset(named[1:]))


@functools.lru_cache(4096)
def _arm_registers(operands: str) -> tuple[str, ...]:
    """The registers in operands, in order, by names that do not depend on their width."""
    return tuple(match[1] or "v" + match[2][1:] for match in _ARM_REGISTER.finditer(operands))


def registers_of(operand: str, processor: Processor) -> frozenset[str]:
    """The registers that an operand names."""
    return frozenset(_arm_registers(operand)) if processor.name == "aarch64" else registers_in(operand)
