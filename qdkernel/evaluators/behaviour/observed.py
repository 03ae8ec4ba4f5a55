"""What ran in an observed run: how often each basic block, which teams and tasks, how much processor time.

A copy of the kernel that counts its blocks (``toolchain/counting.py``) is called once at each scored size, in a
contained run of its own. Limits: the copy is slower than the kernel, by two to ten times in tight loops, so threads may
share out work differently; and a kernel that reads its own code, or measures time by a thread that counts, could tell
the copy from itself and run something else in it. It would have to compute the right result in both ways.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qdkernel.core import Array
from qdkernel.evaluators.binary import Disassembly, Function, Instruction

# The instructions of a counter (toolchain/counting.py), by processor.
_COUNTING = {
    "x86_64": ("lea", "push", "push", "mov", "mov", "mov", "lea", "mov", "pop", "pop", "lea"),
    "aarch64": ("stp", "adrp", "ldr", "mrs", "ldr", "add", "ldr", "add", "str", "ldp"),
}
# What names its place in a row: the sixth instruction; on aarch64 the sixth a page of it, and the seventh the rest.
_PLACE = re.compile(r"rcx, qword ptr \[rax(?: \+ (0x[0-9a-f]+|\d+))?\]")
_PAGE = re.compile(r"x16, x16, #(0x[0-9a-f]+|\d+), lsl #12")
_OFFSET = re.compile(r"x17, \[x16(?:, #(0x[0-9a-f]+|\d+))?\]")


@dataclass(frozen=True)
class RuntimeFacts:
    """What the OpenMP runtime and memcpy were asked for; the first fields of ``struct qd_facts`` (native/trace.c).

    Attributes:
        rows: threads that took part in a region.
        regions: parallel regions.
        largest_team: threads of the largest team; 0 without a region.
        nested: regions of several threads inside a region of several threads.
        tasks: tasks that any thread could run.
        dealt_loops: loops and groups of sections that were shared out while they ran.
        shares: of those.
        copied_bytes: by memcpy and memmove.
    """

    rows: int = 0
    regions: int = 0
    largest_team: int = 0
    nested: int = 0
    tasks: int = 0
    dealt_loops: int = 0
    shares: int = 0
    copied_bytes: int = 0


@dataclass(frozen=True)
class Observed:
    """One observed run, all scored sizes together.

    Attributes:
        counts: address of a function -> how often each of its basic blocks ran, by all threads.
        team_counts: the same of the run with teams, which is another one where one thread is scored.
        runtime: what the runtime was asked for.
        awake_s: how long the child was awake for the calls, seconds.
        cpu_s: processor time that it used meanwhile, seconds.
        array_bytes: bytes of all arrays of the calls.
        operand_bytes: bytes of the smallest array that each call only reads, summed; 0 where there is none.
        helped: share of all executed blocks that threads other than the busiest executed; see ``helped_share``.
    """

    counts: Mapping[int, tuple[int, ...]]
    team_counts: Mapping[int, tuple[int, ...]]
    runtime: RuntimeFacts
    awake_s: float
    cpu_s: float
    array_bytes: int
    operand_bytes: int
    helped: float

    def ran(self, address: int) -> bool:
        """Whether a function was called."""
        return bool(self.counts.get(address, (0,))[0])

    @cached_property
    def team(self) -> int:
        """Threads of the largest team, 1 without one."""
        return max(1, self.runtime.largest_team)


def helped_share(rows: Array) -> float:
    """The share of executed blocks, of all rows, that threads other than the busiest executed.

    Args:
        rows: the threads' counters, shape (threads, counters). The first row is that of the calling thread until it
            takes part in a region; it then counts in one of the others, as every thread of a team.
    """
    blocks = rows.sum(axis=1, dtype=np.uint64).astype(np.float64)
    total = float(blocks.sum())
    return (total - float(blocks[0]) - float(blocks[1:].max())) / total if total else 0.0


def read_counts(rows: Array, disassembly: Disassembly, counting: Disassembly) -> dict[int, tuple[int, ...]]:
    """How often each basic block of a kernel ran, by address of its function.

    Kernel and counting copy have the same functions, each with the same blocks in the same order, up to blocks of
    padding. The code of a counter stands at the beginning of a block of the copy and names its place in a row.

    Args:
        rows: the threads' counters, shape (threads, counters).
        disassembly: of the kernel.
        counting: of the copy.

    Raises:
        ValueError: the two differ in more than counters.
    """
    totals = [int(total) for total in rows.sum(axis=0, dtype=np.uint64)]
    copies = {function.name: function for function in counting.functions.values()}
    found = {}
    for address, function in disassembly.functions.items():
        copy = copies.get(function.name)
        places = None if copy is None else _places(list(_blocks(function)), list(_blocks(copy)))
        if places is None:
            raise ValueError(f"the counting copy of {function.name} is not the same code")
        found[address] = tuple(0 if place is None else totals[place] for place in places)
    return found


@dataclass(frozen=True)
class _Block:
    """A basic block without counters and padding: its mnemonics, and the place of its counter if it has one."""

    mnemonics: tuple[str, ...]
    place: int | None


def _blocks(function: Function) -> Iterator[_Block]:
    processor = function.processor.name
    length = len(_COUNTING[processor])
    for first, end in function.flow.ranges:
        mnemonics, place, at = [], None, first
        while at < end:
            counter = _counter(function.instructions[at : min(end, at + length)], processor)
            if counter is not None:
                place = counter if place is None else place
                at += length
                continue
            mnemonic = function.instructions[at].mnemonic
            if "nop" not in mnemonic and function.instructions[at].operands != "ax, ax":
                mnemonics.append(mnemonic)
            at += 1
        yield _Block(tuple(mnemonics), place)


def _counter(instructions: tuple[Instruction, ...], processor: str) -> int | None:
    """The place of the counter that these instructions are; ``None`` when they are none."""
    if tuple(instruction.mnemonic for instruction in instructions) != _COUNTING[processor]:
        return None
    if processor == "x86_64":
        match = _PLACE.fullmatch(instructions[5].operands)
        return None if match is None else int(match[1] or "0", 0) // 8
    page, offset = _PAGE.fullmatch(instructions[5].operands), _OFFSET.fullmatch(instructions[6].operands)
    return None if page is None or offset is None else ((int(page[1], 0) << 12) + int(offset[1] or "0", 0)) // 8


def _places(own: list[_Block], copied: list[_Block]) -> list[int | None] | None:
    """The counter of each block of a kernel, from those of the copy; ``None`` when the two are not the same code.

    Padding behind a conditional jump runs as often as the counter there; padding behind any other jump never does.
    """
    places: list[int | None] = []
    at = 0
    for block in own:
        passed: int | None = None
        while at < len(copied) and not copied[at].mnemonics:
            passed = copied[at].place if passed is None else passed
            at += 1
        if not block.mnemonics:
            places.append(passed)
            continue
        if at == len(copied) or copied[at].mnemonics != block.mnemonics:
            return None
        places.append(copied[at].place)
        at += 1
    return places


def repeats(function: Function, number: int, observed: Observed) -> bool:
    """Whether a loop made more iterations than it was entered, so that it is one at these sizes.

    Threads that each take one share of a region's loop repeat it together.
    """
    counts, loop = observed.counts[function.address], function.flow.loops[number]
    iterations = sum(counts[block] for block in loop.entries)
    successors = function.flow.successors
    outside = [
        block for block in range(len(counts)) if block not in loop.body and loop.entries & set(successors[block])
    ]
    entered = sum(counts[block] for block in outside) or counts[0]
    team = observed.team if "._omp_fn." in function.name else 1
    return iterations * team > entered
