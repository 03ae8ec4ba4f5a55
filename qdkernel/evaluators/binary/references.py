"""Where a function's code leads: calls, addresses taken, jump tables, and calls that cannot be followed."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from qdkernel.evaluators.binary import aarch64, x86_64
from qdkernel.evaluators.binary.control_flow import Instruction
from qdkernel.evaluators.binary.shared_object import Section

_RIP = re.compile(r"\[rip ([+-]) (0x[0-9a-f]+|\d+)\]")
_TABLE_ENTRIES = 1024  # more than any switch over edge sizes


@dataclass(frozen=True)
class Reference:
    """A place where a function names another one.

    Attributes:
        address: of the instruction.
        function: address of the kernel's own function that is called, jumped to, or whose address is taken.
        symbol: the imported symbol that is called or loaded; exactly one of the two is given.
        taken: the function's address is taken, as for the body of a parallel region.
    """

    address: int
    function: int | None = None
    symbol: str | None = None
    taken: bool = False


@dataclass(frozen=True)
class Targets:
    """What the code of an object can lead to.

    Attributes:
        starts: addresses of its functions.
        got: address of a relocated pointer -> the imported symbol it will hold.
        rodata: sections of constants, where jump tables lie.
        pointers: address of a constant pointer -> the address inside the object that it will hold.
        stubs: address of a stub of the linker -> the imported symbol that it jumps to.
    """

    starts: frozenset[int]
    got: Mapping[int, str]
    rodata: tuple[Section, ...]
    pointers: Mapping[int, int]
    stubs: Mapping[int, str]


class Leads(NamedTuple):
    """References, jump tables and untraced calls of a function; see ``Function``."""

    references: tuple[Reference, ...]
    tables: Mapping[int, tuple[int, ...]]
    untraced: tuple[int, ...]


def leads_on_x86_64(instructions: tuple[Instruction, ...], targets: Targets) -> Leads:
    """Where x86-64 code leads."""
    references, tables, untraced = [], {}, []
    addresses = frozenset(instruction.address for instruction in instructions)
    loads = [instruction for instruction in instructions if instruction.mnemonic == "lea" and rip_address(instruction)]
    pointed = frozenset(_pointed((rip_address(load) for load in loads), targets.pointers))
    callees = sorted(pointed & targets.starts)
    for instruction in instructions:
        target, by_address, by_pointer = x86_64.jump_target(instruction), "rip" in instruction.operands, False
        if target is not None:
            own = target in addresses and not instruction.mnemonic.endswith("call")
            if target in targets.starts and not own:
                references.append(Reference(instruction.address, function=target))
        elif _is_computed_jump(instruction):
            before = [load for load in loads if load.address < instruction.address]
            table = _jump_table(before, addresses, targets.rodata)
            tables[instruction.address] = table or tuple(sorted(pointed & addresses))
            by_pointer = not tables[instruction.address]
        elif by_address and (reference := _by_address(instruction, targets)) is not None:
            references.append(reference)
        else:
            by_pointer = instruction.mnemonic.endswith(("call", "jmp"))
        if by_pointer:
            references += [Reference(instruction.address, function=callee) for callee in callees]
            untraced += [] if callees else [instruction.address]
    return Leads(tuple(references), tables, tuple(untraced))


def leads_on_aarch64(instructions: tuple[Instruction, ...], targets: Targets) -> Leads:
    """Where aarch64 code leads; it has no jump tables, because kernels are compiled without (``Toolchain``)."""
    inside = frozenset(instruction.address for instruction in instructions)
    made = list(aarch64.addresses(instructions))
    symbols = dict(aarch64.called_symbols(instructions, targets.got))
    pointed = frozenset(_pointed((address for _, address, loaded in made if not loaded), targets.pointers))
    callees = sorted(pointed & targets.starts)
    references = [Reference(address, symbol=symbol) for address, symbol in symbols.items()]
    references += [
        Reference(instruction.address, function=address, taken=True)
        for instruction, address, loaded in made
        if address in targets.starts and not loaded
    ]
    tables, untraced = {}, []
    for instruction in instructions:
        target = aarch64.jump_target(instruction)
        if target is not None and target in targets.stubs:
            references.append(Reference(instruction.address, symbol=targets.stubs[target]))
        elif target in targets.starts and (target not in inside or aarch64.is_call(instruction.mnemonic)):
            references.append(Reference(instruction.address, function=target))
        if instruction.mnemonic not in ("blr", "br") or instruction.address in symbols:
            continue
        if instruction.mnemonic == "br":
            tables[instruction.address] = tuple(sorted(pointed & inside))
        if not tables.get(instruction.address):
            references += [Reference(instruction.address, function=callee) for callee in callees]
            untraced += [] if callees else [instruction.address]
    references.sort(key=lambda reference: reference.address)
    return Leads(tuple(references), tables, tuple(untraced))


def is_indirect_jump(instruction: Instruction) -> bool:
    """Whether it may jump through a table, on either processor."""
    return instruction.mnemonic == "br" or _is_computed_jump(instruction)


def _is_computed_jump(instruction: Instruction) -> bool:
    """Whether x86-64 code may jump through a table here; a jump to an imported function is relative to the code."""
    by_value = x86_64.jump_target(instruction) is None and "rip" not in instruction.operands
    return instruction.mnemonic.endswith("jmp") and by_value


def _pointed(places: Iterable[int | None], pointers: Mapping[int, int]) -> Iterator[int]:
    """Where the tables of constant pointers lead whose address a function loads: labels, or other functions."""
    for place in pointers.keys() & set(places):
        for entry in range(place, place + 8 * _TABLE_ENTRIES, 8):
            if entry not in pointers:
                break
            yield pointers[entry]


def rip_address(instruction: Instruction) -> int | None:
    """The address that a rip-relative operand means."""
    match = _RIP.search(instruction.operands)
    if match is None:
        return None
    offset = int(match[2], 0)
    return instruction.address + instruction.size + (offset if match[1] == "+" else -offset)


def _by_address(instruction: Instruction, targets: Targets) -> Reference | None:
    address = rip_address(instruction)
    if address is None:
        return None
    if address in targets.got:
        return Reference(instruction.address, symbol=targets.got[address])
    if address in targets.starts and instruction.mnemonic == "lea":
        return Reference(instruction.address, function=address, taken=True)
    return None


def _jump_table(loads: Sequence[Instruction], addresses: frozenset[int], rodata: Sequence[Section]) -> tuple[int, ...]:
    """Targets of a position-independent switch: 32-bit offsets from the address of the last table that was loaded."""
    for load in reversed(loads):
        table = rip_address(load)
        for section in rodata:
            if table is not None and section.holds(table):
                start = table - section.address
                found = tuple(_table_entries(section.data[start : start + 4 * _TABLE_ENTRIES], table, addresses))
                if found:
                    return found
    return ()


def _table_entries(data: bytes, table: int, addresses: frozenset[int]) -> Iterator[int]:
    whole = data[: len(data) // 4 * 4]
    for (offset,) in struct.iter_unpack("<i", whole):
        if table + offset not in addresses:
            return
        yield table + offset
