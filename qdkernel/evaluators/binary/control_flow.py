"""Basic blocks and loops of one function's machine code.

A loop is a set of blocks that lead to each other; loops inside it are what still does when its entries are closed
(Steensgaard, "Sequentializing Program Dependence Graphs for Irreducible Programs", 1993). Backward jumps would not do:
compilers place rare blocks behind a function's end and jump back from them. Nor would dominance: they also jump into
the middle of an unrolled loop.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_MAX_DEPTH = 20  # a limit against hostile code: kernels nest less deeply, and each level costs a pass over its blocks
_DONE = 1 << 60  # above every number: a block whose cycle is complete


class Instruction(NamedTuple):
    """One machine instruction, operands in Intel syntax."""

    address: int
    size: int
    mnemonic: str
    operands: str


class Branches(NamedTuple):
    """How a processor's jumps are read.

    Attributes:
        target: where a direct jump or call goes; ``None`` for every other instruction.
        ends_block: whether a basic block ends behind a mnemonic: it jumps, or control does not go on.
        leaves: whether control never reaches what follows a mnemonic.
        is_call: whether a mnemonic calls.
    """

    target: Callable[[Instruction], int | None]
    ends_block: Callable[[str], bool]
    leaves: Callable[[str], bool]
    is_call: Callable[[str], bool]


@dataclass(frozen=True)
class Loop:
    """A loop.

    Attributes:
        entries: blocks that an iteration begins with; one unless the compiler jumps into the middle.
        body: blocks of the loop, inner loops included.
        own: blocks that lie in no inner loop.
        parent: index of the enclosing loop, or ``None``.
    """

    entries: frozenset[int]
    body: frozenset[int]
    own: frozenset[int]
    parent: int | None


@dataclass(frozen=True)
class ControlFlow:
    """The blocks and loops of one function.

    Attributes:
        starts: address of each block's first instruction, ascending; block 0 is the entry.
        ranges: (first, end) indices into the function's instructions, per block.
        successors: blocks that may follow each block.
        loops: outer loops before inner ones.
        loop_of: index of the innermost loop of each block, or ``None``.
    """

    starts: tuple[int, ...]
    ranges: tuple[tuple[int, int], ...]
    successors: tuple[tuple[int, ...], ...]
    loops: tuple[Loop, ...]
    loop_of: tuple[int | None, ...]

    def block_at(self, address: int) -> int:
        """The block that holds the instruction at ``address``."""
        return bisect_right(self.starts, address) - 1

    def enclosing(self, block: int) -> list[int]:
        """Indices of the loops around a block, innermost first."""
        found, at = [], self.loop_of[block]
        while at is not None:
            found.append(at)
            at = self.loops[at].parent
        return found

    def exclusive(self, first: int, second: int) -> bool:
        """Whether one iteration of the innermost loop around both blocks runs at most one of them.

        Outside of loops: whether neither block can follow the other.
        """
        return first != second and not (self.leads(first, second) or self.leads(second, first))

    def leads(self, first: int, second: int) -> bool:
        """Whether one block can follow another in the same iteration of the innermost loop around both."""
        around = set(self.enclosing(second))
        common = next((loop for loop in self.enclosing(first) if loop in around), None)
        if common is None:
            return self._follows(first, second, frozenset(range(len(self.starts))))
        return self._follows(first, second, self.loops[common].body - self.loops[common].entries)

    def _follows(self, start: int, wanted: int, body: frozenset[int]) -> bool:
        """Whether some way from one block to another stays within a body."""
        seen, stack = {start}, [start]
        while stack:
            for block in self.successors[stack.pop()]:
                if block in body and block not in seen:
                    seen.add(block)
                    stack.append(block)
        return wanted in seen


def control_flow(
    instructions: Sequence[Instruction], tables: Mapping[int, Sequence[int]], branches: Branches
) -> ControlFlow:
    """Blocks and loops of a function.

    Args:
        instructions: of the function, by address, at least one.
        tables: address of an indirect jump -> the addresses it may go to, from its jump table.
        branches: of the processor.
    """
    starts, ranges, successors = _blocks(instructions, tables, branches)
    loops, loop_of = _loops(successors)
    return ControlFlow(tuple(starts), tuple(ranges), tuple(successors), loops, loop_of)


def _blocks(
    instructions: Sequence[Instruction], tables: Mapping[int, Sequence[int]], branches: Branches
) -> tuple[list[int], list[tuple[int, int]], list[tuple[int, ...]]]:
    index = {instruction.address: i for i, instruction in enumerate(instructions)}
    leaders = {0}
    exits: dict[int, list[int]] = {}
    for i, instruction in enumerate(instructions):
        if not branches.ends_block(instruction.mnemonic):
            continue
        target = branches.target(instruction)
        targets = [target] if target is not None else list(tables.get(instruction.address, ()))
        exits[i] = [index[t] for t in targets if t in index]  # others are tail calls
        leaders.update(exits[i])
        if i + 1 < len(instructions):
            leaders.add(i + 1)
    firsts = sorted(leaders)
    number = {first: block for block, first in enumerate(firsts)}
    ranges = list(zip(firsts, [*firsts[1:], len(instructions)], strict=True))
    successors = []
    for _, end in ranges:
        follow = [number[t] for t in exits.get(end - 1, ())]
        if end < len(instructions) and not branches.leaves(instructions[end - 1].mnemonic):
            follow.append(number[end])
        successors.append(tuple(dict.fromkeys(follow)))
    return [instructions[first].address for first in firsts], ranges, successors


class _Cycle(NamedTuple):
    entries: frozenset[int]
    body: frozenset[int]
    parent: int | None


def _loops(successors: Sequence[tuple[int, ...]]) -> tuple[tuple[Loop, ...], tuple[int | None, ...]]:
    """The loop nesting forest, outer loops first, and the innermost loop of each block."""
    cycles = _cycle_forest(successors)
    holds = Counter(cycle.parent for cycle in cycles)
    number: dict[int | None, int | None] = {None: None}  # of a cycle -> of the loop that it is, or lies in
    kept: list[_Cycle] = []
    for i, cycle in enumerate(cycles):
        number[i] = number[cycle.parent]
        # A cycle with several entries around a single one is a loop whose condition was copied, not one more loop.
        if len(cycle.entries) == 1 or holds[i] != 1:
            kept.append(cycle._replace(parent=number[i]))
            number[i] = len(kept) - 1
    loop_of: list[int | None] = [None] * len(successors)
    for loop, cycle in enumerate(kept):
        for block in cycle.body:
            loop_of[block] = loop
    own: list[set[int]] = [set() for _ in kept]
    for block, owner in enumerate(loop_of):
        if owner is not None:
            own[owner].add(block)
    found = zip(kept, own, strict=True)
    return tuple(Loop(c.entries, c.body, frozenset(o), c.parent) for c, o in found), tuple(loop_of)


def _cycle_forest(successors: Sequence[tuple[int, ...]]) -> list[_Cycle]:
    """Every cycle, outer ones first."""
    cycles: list[_Cycle] = []
    pending: list[tuple[frozenset[int], frozenset[int], int | None, int]]
    pending = [(_reached(successors), frozenset(), None, 0)]
    for region, closed, parent, depth in pending:
        bodies = _cycles(successors, region, closed) if depth < _MAX_DEPTH else []
        for body, entries in zip(bodies, _entries(successors, region, closed, bodies), strict=True):
            pending.append((body, entries, len(cycles), depth + 1))
            cycles.append(_Cycle(entries, body, parent))
    return cycles


def _reached(successors: Sequence[tuple[int, ...]]) -> frozenset[int]:
    """The blocks that the entry leads to: alignment between blocks would otherwise look like a way into a loop."""
    seen, stack = {0}, [0]
    while stack:
        for block in successors[stack.pop()]:
            if block not in seen:
                seen.add(block)
                stack.append(block)
    return frozenset(seen)


def _entries(
    successors: Sequence[tuple[int, ...]], region: frozenset[int], closed: frozenset[int], cycles: list[frozenset[int]]
) -> list[frozenset[int]]:
    """Per cycle, the blocks that the rest of the region leads to; its first block if there is none."""
    cycle_of = {block: number for number, cycle in enumerate(cycles) for block in cycle}
    found: list[set[int]] = [set() for _ in cycles]
    for block in region:
        for follow in successors[block]:
            number = cycle_of.get(follow)
            if number is not None and follow not in closed and cycle_of.get(block) != number:
                found[number].add(follow)
    return [frozenset(entry or {min(cycle)}) for entry, cycle in zip(found, cycles, strict=True)]


def _cycles(
    successors: Sequence[tuple[int, ...]], region: frozenset[int], closed: frozenset[int]
) -> list[frozenset[int]]:
    """Sets of blocks of a region that lead to each other without entering a closed block, by Tarjan's algorithm."""
    inside = {
        block: [follow for follow in successors[block] if follow in region and follow not in closed] for block in region
    }
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    path: list[int] = []
    found: list[frozenset[int]] = []
    for root in sorted(region):
        if root in order:
            continue
        work = [(root, iter(inside[root]))]
        order[root] = low[root] = len(order)
        path.append(root)
        while work:
            block, follow = work[-1]
            for after in follow:
                if after not in order:
                    order[after] = low[after] = len(order)
                    path.append(after)
                    work.append((after, iter(inside[after])))
                    break
                low[block] = min(low[block], low.get(after, low[block]))
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[block])
                if low[block] == order[block]:
                    cut = path.index(block) if len(path) < 32 else len(path) - 1 - path[::-1].index(block)
                    component = path[cut:]
                    del path[cut:]
                    for member in component:
                        low[member] = _DONE
                    if len(component) > 1 or block in inside[block]:
                        found.append(frozenset(component))
    return found
