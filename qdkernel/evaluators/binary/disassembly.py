"""The machine code of a kernel: functions, calls, loops and what runs in them, by capstone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from qdkernel.evaluators.binary.control_flow import ControlFlow, Instruction, control_flow
from qdkernel.evaluators.binary.processor import X86_64, Processor, aarch64_with
from qdkernel.evaluators.binary.references import Reference, Targets, is_indirect_jump
from qdkernel.evaluators.binary.shared_object import SharedObject

_CODE_LIMIT = 1 << 20  # bytes; keeps disassembly under a second, and is 50 times a usual kernel's
_JUMP_LIMIT = 1 << 14  # a kernel has hundreds; bounds the search for loops, which is not linear
_TABLE_LIMIT = 256  # indirect jumps; every one may have a thousand targets


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
        processor: that the code is for.
    """

    name: str
    address: int
    instructions: tuple[Instruction, ...]
    references: tuple[Reference, ...]
    tables: Mapping[int, tuple[int, ...]]
    untraced: tuple[int, ...]
    processor: Processor

    @cached_property
    def flow(self) -> ControlFlow:
        """Blocks and loops."""
        return control_flow(self.instructions, self.tables, self.processor.branches)

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
        undecoded: addresses in executable sections that hold neither an instruction of a function, nor padding, nor the
            linker's stubs.
        stubs: address of each of these stubs -> the imported symbol that it jumps to.
    """

    functions: Mapping[int, Function]
    roots: tuple[int, ...]
    undecoded: tuple[int, ...]
    stubs: Mapping[int, str]


def disassemble(so: SharedObject, scalable_bits: int = 128) -> Disassembly:
    """The functions of a shared object.

    Args:
        so: for x86-64 or aarch64.
        scalable_bits: of an SVE register where the code is to run.

    Raises:
        ValueError: for another processor, more than 1 MiB of code, or more than 16,384 jumps or 256 jumps through
            tables.
    """
    processors = {"EM_X86_64": X86_64, "EM_AARCH64": aarch64_with(scalable_bits)}
    if so.machine not in processors:
        raise ValueError(f"expected an object for x86-64 or aarch64, got one for {so.machine}; run on such a machine")
    processor = processors[so.machine]
    code_size = sum(section.size for section in so.sections.values() if section.executable)
    if code_size > _CODE_LIMIT:
        raise ValueError(f"{code_size} bytes of code; a kernel has at most {_CODE_LIMIT}: unroll less")
    engine = processor.engine()
    rodata = tuple(section for section in so.sections.values() if section.name.startswith(".rodata"))
    stubs = _stubs(so, processor, engine)
    starts = frozenset(function.address for function in so.functions)
    targets = Targets(starts, so.got, rodata, so.constant_pointers, stubs)
    functions, undecoded = {}, []
    jumps = tables = 0
    for function in so.functions:
        instructions = tuple(map(Instruction._make, engine.disasm_lite(function.code, function.address)))
        jumps += sum(processor.branches.ends_block(instruction.mnemonic) for instruction in instructions)
        tables += sum(map(is_indirect_jump, instructions))
        if jumps > _JUMP_LIMIT or tables > _TABLE_LIMIT:
            limits = f"{_JUMP_LIMIT} jumps and {_TABLE_LIMIT} jumps through tables"
            raise ValueError(f"a kernel has at most {limits}, and this one has more: unroll less")
        decoded = sum(instruction.size for instruction in instructions)
        if decoded < len(function.code):
            undecoded.append(function.address + decoded)
        if instructions:
            leads = processor.leads(instructions, targets)
            functions[function.address] = Function(function.name, function.address, instructions, *leads, processor)
    exported = set(so.exports)
    return Disassembly(
        functions=functions,
        roots=tuple(f.address for f in functions.values() if f.name in exported),
        undecoded=(*undecoded, *_gaps(so, processor.padding, ".plt" if stubs else "")),
        stubs=stubs,
    )


def _stubs(so: SharedObject, processor: Processor, engine: Any) -> dict[int, str]:  # Any: see Processor
    table = so.sections.get(".plt")
    instructions = [] if table is None else [*map(Instruction._make, engine.disasm_lite(table.data, table.address))]
    whole = table is not None and sum(instruction.size for instruction in instructions) == table.size
    return processor.stubs(instructions, so.got) if whole else {}


def _gaps(so: SharedObject, padding: re.Pattern[bytes], read: str) -> Iterator[int]:
    """Where executable sections, but for the one that was ``read``, hold anything but functions and padding."""
    for section in so.sections.values():
        if not section.executable or section.name == read:
            continue
        at = section.address
        inside = [f for f in so.functions if section.holds(f.address)]
        for start, end in [*((f.address, f.address + len(f.code)) for f in inside), (at + section.size,) * 2]:
            gap = section.data[at - section.address : max(start, at) - section.address]
            if gap and not padding.fullmatch(gap):
                yield at
            at = max(at, end)
