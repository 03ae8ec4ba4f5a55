"""The machine code of a kernel: functions, calls, loops and what runs in them, by capstone."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from qdkernel.evaluators.binary.control_flow import ControlFlow, Instruction, control_flow, ends_block, jump_target
from qdkernel.evaluators.binary.shared_object import CodeFunction, Section, SharedObject

_CODE_LIMIT = 1 << 20  # bytes; keeps disassembly under a second, and is 50 times a usual kernel's
_JUMP_LIMIT = 1 << 14  # a kernel has hundreds; bounds the search for loops, which is not linear
_TABLE_LIMIT = 256  # indirect jumps; every one may have a thousand targets
_RIP = re.compile(r"\[rip ([+-]) (0x[0-9a-f]+|\d+)\]")
_TABLE_ENTRIES = 1024  # more than any switch over edge sizes
_PADDING = re.compile(rb"(?:\x66|\x2e|\x0f\x1f.|\x90|\x00|\xcc)*", re.DOTALL)


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
class Function:
    """One function of the kernel.

    Attributes:
        name: symbol; outlined parallel regions have ``._omp_fn.`` in theirs.
        address: where it begins.
        instructions: by address.
        references: calls and addresses taken, by address.
        tables: address of an indirect jump -> where its jump table leads.
        untraced: addresses of calls and jumps whose target cannot be told from the code: it comes neither from a jump
            table nor from constant pointers, as of a computed goto or a table of functions.
    """

    name: str
    address: int
    instructions: tuple[Instruction, ...]
    references: tuple[Reference, ...]
    tables: Mapping[int, tuple[int, ...]]
    untraced: tuple[int, ...] = ()

    @cached_property
    def flow(self) -> ControlFlow:
        """Blocks and loops."""
        return control_flow(self.instructions, self.tables)

    @cached_property
    def dealing_loops(self) -> frozenset[int]:
        """Loops that only fetch the next share of a worksharing construct; they are no loops of the source."""
        asking = [r for r in self.references if r.symbol and r.symbol.startswith("GOMP_") and "_next" in r.symbol]
        loops = (self.flow.loop_of[self.flow.block_at(reference.address)] for reference in asking)
        return frozenset(loop for loop in loops if loop is not None)

    def depth_at(self, address: int) -> int:
        """Loops of this function around an instruction."""
        around = self.flow.enclosing(self.flow.block_at(address))
        return sum(loop not in self.dealing_loops for loop in around)

    def in_blocks(self, blocks: frozenset[int]) -> Iterator[Instruction]:
        """The instructions of some blocks, by address."""
        for block in sorted(blocks):
            first, end = self.flow.ranges[block]
            yield from self.instructions[first:end]


@dataclass(frozen=True)
class Disassembly:
    """Every function of a kernel.

    Attributes:
        functions: by address.
        roots: addresses of the exported functions.
        undecoded: addresses in executable sections that hold no instruction of a function and are no padding.
    """

    functions: Mapping[int, Function]
    roots: tuple[int, ...]
    undecoded: tuple[int, ...]


def disassemble(so: SharedObject) -> Disassembly:
    """The functions of a shared object.

    Raises:
        ValueError: not x86-64, more than 1 MiB of code, or more than 16,384 jumps or 256 jumps through tables.
    """
    if so.machine != "EM_X86_64":
        raise ValueError(f"disassembly knows x86-64, and the object is for {so.machine}; run on an x86-64 machine")
    code_size = sum(section.size for section in so.sections.values() if section.executable)
    if code_size > _CODE_LIMIT:
        raise ValueError(f"{code_size} bytes of code; a kernel has at most {_CODE_LIMIT}: unroll less")
    import capstone  # 30 ms, and only workers disassemble

    engine = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    starts = frozenset(function.address for function in so.functions)
    constants = _Constants(
        tuple(section for section in so.sections.values() if section.name.startswith(".rodata")), so.constant_pointers
    )
    functions, undecoded = {}, []
    jumps = tables = 0
    for function in so.functions:
        instructions = tuple(map(Instruction._make, engine.disasm_lite(function.code, function.address)))
        jumps += sum(ends_block(instruction.mnemonic) for instruction in instructions)
        tables += sum(map(_is_indirect_jump, instructions))
        if jumps > _JUMP_LIMIT or tables > _TABLE_LIMIT:
            limits = f"{_JUMP_LIMIT} jumps and {_TABLE_LIMIT} jumps through tables"
            raise ValueError(f"a kernel has at most {limits}, and this one has more: unroll less")
        decoded = sum(instruction.size for instruction in instructions)
        if decoded < len(function.code):
            undecoded.append(function.address + decoded)
        if instructions:
            functions[function.address] = _function(function, instructions, starts, so.got, constants)
    exported = set(so.exports)
    return Disassembly(
        functions=functions,
        roots=tuple(f.address for f in functions.values() if f.name in exported),
        undecoded=(*undecoded, *_gaps(so)),
    )


@dataclass(frozen=True)
class _Constants:
    """Where tables of targets can be: sections of constants, and constant pointers by address."""

    sections: tuple[Section, ...]
    pointers: Mapping[int, int]


def _function(
    function: CodeFunction,
    instructions: tuple[Instruction, ...],
    starts: frozenset[int],
    got: Mapping[int, str],
    constants: _Constants,
) -> Function:
    references, tables, untraced = [], {}, []
    addresses = frozenset(instruction.address for instruction in instructions)
    loads = [instruction for instruction in instructions if instruction.mnemonic == "lea" and rip_address(instruction)]
    pointed = frozenset(_pointed(loads, constants.pointers))
    callees = sorted(pointed & starts)
    for instruction in instructions:
        target, by_address, by_pointer = jump_target(instruction), "rip" in instruction.operands, False
        if target is not None:
            own = target in addresses and not instruction.mnemonic.endswith("call")
            if target in starts and not own:
                references.append(Reference(instruction.address, function=target))
        elif _is_indirect_jump(instruction):
            before = [load for load in loads if load.address < instruction.address]
            table = _jump_table(before, addresses, constants.sections)
            tables[instruction.address] = table or tuple(sorted(pointed & addresses))
            by_pointer = not tables[instruction.address]
        elif by_address and (reference := _by_address(instruction, starts, got)) is not None:
            references.append(reference)
        else:
            by_pointer = instruction.mnemonic.endswith(("call", "jmp"))
        if by_pointer:
            references += [Reference(instruction.address, function=callee) for callee in callees]
            untraced += [] if callees else [instruction.address]
    return Function(function.name, function.address, instructions, tuple(references), tables, tuple(untraced))


def _pointed(loads: Sequence[Instruction], pointers: Mapping[int, int]) -> Iterator[int]:
    """Where the tables of constant pointers lead whose address a function loads: labels, or other functions."""
    for place in pointers.keys() & {rip_address(load) for load in loads}:
        for entry in range(place, place + 8 * _TABLE_ENTRIES, 8):
            if entry not in pointers:
                break
            yield pointers[entry]


def _is_indirect_jump(instruction: Instruction) -> bool:
    """Whether it may jump through a table; a jump to an imported function is relative to the code."""
    by_value = jump_target(instruction) is None and "rip" not in instruction.operands
    return instruction.mnemonic.endswith("jmp") and by_value


def rip_address(instruction: Instruction) -> int | None:
    """The address that a rip-relative operand means."""
    match = _RIP.search(instruction.operands)
    if match is None:
        return None
    offset = int(match[2], 0)
    return instruction.address + instruction.size + (offset if match[1] == "+" else -offset)


def _by_address(instruction: Instruction, starts: frozenset[int], got: Mapping[int, str]) -> Reference | None:
    address = rip_address(instruction)
    if address is None:
        return None
    if address in got:
        return Reference(instruction.address, symbol=got[address])
    if address in starts and instruction.mnemonic == "lea":
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


def _gaps(so: SharedObject) -> Iterator[int]:
    """Where executable sections hold anything but functions and padding."""
    for section in so.sections.values():
        if not section.executable:
            continue
        at = section.address
        inside = [f for f in so.functions if section.holds(f.address)]
        for start, end in [*((f.address, f.address + len(f.code)) for f in inside), (at + section.size,) * 2]:
            gap = section.data[at - section.address : max(start, at) - section.address]
            if gap and not _is_padding(gap):
                yield at
            at = max(at, end)


def _is_padding(gap: bytes) -> bool:
    return _PADDING.fullmatch(gap) is not None
