"""Which loop of a kernel does the work, how deep it lies, and what runs in loops at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from qdkernel.evaluators.behaviour.thread_shares import Split, find_split
from qdkernel.evaluators.binary import Disassembly, Function, Instruction, Loop

# Each level of nesting counts four times: enough for a short sum to beat the update of C around it (at most three
# operations per sum of two), little enough for a deep clean-up loop not to beat a register tile.
_DEPTH_FACTOR = 4
# A loop with a register tile counts four times too: what tiles leave over rarely has one, but the compiler may use
# wider vectors for it than the author used for the tile.
_TILE_FACTOR = 4
LEAST_ACCUMULATORS = 4
"""Registers that carry sums through a loop for it to be a register tile.

A fused multiply-add takes 4 cycles and two start per cycle: with fewer than 4 independent sums a loop waits for its own
results more than half of the time.
"""
_MAX_CALL_DEPTH = 16  # ends the count for recursive functions
_MAX_RIVALS = 256  # loops compared one by one; kernels have a few dozen
# What runs the body of a parallel region or task; its address may be loaded far from the call.
_STARTERS = ("GOMP_parallel", "GOMP_task", "GOMP_taskloop", "GOMP_teams")


@dataclass(frozen=True)
class Call:
    """A call, a tail call, or a function's address taken, with the number of loops around it in its own function."""

    caller: int
    address: int
    callee: int
    depth: int


@dataclass(frozen=True)
class MachineLoop:
    """A loop of reachable code that does floating-point arithmetic.

    Attributes:
        function: where it lies.
        loop: its blocks.
        depth: loops around it and itself, those around the calls that lead to it included.
        flops: operations of one iteration outside of inner loops.
        widths: bits of a vector (0: scalar) -> operations of one iteration at that width.
        sums: whether it adds or subtracts; a loop that only multiplies scales a matrix.
    """

    function: Function
    loop: Loop
    depth: int
    flops: int
    widths: dict[int, int]
    sums: bool

    @cached_property
    def weight(self) -> tuple[bool, int]:
        """Order of hotness, as far as one loop's own facts tell."""
        tiled = len(self.carried) >= LEAST_ACCUMULATORS
        return self.sums, self.flops * _DEPTH_FACTOR**self.depth * (_TILE_FACTOR if tiled else 1)

    @cached_property
    def carried(self) -> frozenset[int]:
        """Vector registers that carry sums from one iteration to the next."""
        return self.function.processor.carried_registers(self.instructions)

    @property
    def instructions(self) -> Iterator[Instruction]:
        """One iteration's, without inner loops, by address."""
        return self.function.in_blocks(self.loop.own)


@dataclass(frozen=True)
class CallGraph:
    """What the exported functions reach.

    Attributes:
        depth: address of each reachable function -> loops around the deepest chain of calls that leads to it.
        arrival: the last call of that chain; absent for an exported function.
        calls: every call made by reachable functions.
        splits: functions that cut a thread's share in two dimensions, how, and at which address.
    """

    depth: dict[int, int]
    arrival: dict[int, Call]
    calls: tuple[Call, ...]
    splits: dict[int, tuple[Split, int]]


def call_graph(disassembly: Disassembly) -> CallGraph:
    """The functions that the exported ones reach, with the loops around each.

    A body whose loop was two in the source (``collapse(2)``) counts as deep as it was written.
    """
    splits = {a: found for a, function in disassembly.functions.items() if (found := find_split(function))}
    outgoing: dict[int, list[Call]] = {}
    depth = dict.fromkeys(disassembly.roots, 0)
    arrival: dict[int, Call] = {}
    pending = list(disassembly.roots)
    while pending:
        caller = pending.pop()
        if caller not in outgoing:
            outgoing[caller] = list(_calls(disassembly.functions[caller]))
        for call in outgoing[caller]:
            merged = call.callee in splits and splits[call.callee][0] is Split.MERGED
            reached = min(depth[caller] + call.depth + merged, _MAX_CALL_DEPTH)
            if call.callee in disassembly.functions and reached > depth.get(call.callee, -1):
                depth[call.callee] = reached
                arrival[call.callee] = call
                pending.append(call.callee)
    return CallGraph(depth, arrival, tuple(call for calls in outgoing.values() for call in calls), splits)


def _calls(function: Function) -> Iterator[Call]:
    starters = [r.address for r in function.references if r.symbol and r.symbol.startswith(_STARTERS)]
    deepest = max(starters, key=function.depth_at, default=None)
    for reference in function.references:
        if reference.function is None:
            continue
        address = reference.address
        if reference.taken and deepest is not None and function.depth_at(deepest) > function.depth_at(address):
            address = deepest
        yield Call(function.address, address, reference.function, function.depth_at(address))


def floating_loops(disassembly: Disassembly, graph: CallGraph) -> list[MachineLoop]:
    """The innermost reachable loops with floating-point arithmetic: a loop inside that does none changes nothing.

    A loop around another one counts as well where the compiler has unrolled an inner vector loop into it and left only
    the narrower rest a loop: it has wider sums than what is inside, and more of them than depth makes up for.
    """
    found = []
    for address, base in graph.depth.items():
        function = disassembly.functions[address]
        inside: dict[int | None, list[MachineLoop]] = {}  # loops that sum, by each loop around them
        for number, loop in reversed(tuple(enumerate(function.flow.loops))):  # inner loops first
            depth = base + function.depth_at(function.flow.starts[min(loop.entries)])
            machine_loop = _measured(function, loop, depth)
            inner = inside.get(number, [])
            counts = machine_loop.flops > 0 and (not inner or _holds_unrolled(machine_loop, inner))
            if counts:
                found.append(machine_loop)
            summing = [*inner, *([machine_loop] if counts and machine_loop.sums else [])]
            if summing:
                inside.setdefault(loop.parent, []).extend(summing)
    return found


def _holds_unrolled(around: MachineLoop, inner: list[MachineLoop]) -> bool:
    """Whether a loop's own code holds a vector loop that was unrolled, beside inner loops that only finish its rows."""
    widest = max(max(loop.widths) for loop in inner)
    heaviest = max(loop.weight[1] for loop in inner)
    return around.sums and max(around.widths) > widest and around.weight[1] > heaviest


def _measured(function: Function, loop: Loop, depth: int) -> MachineLoop:
    widths: dict[int, int] = {}
    sums = False
    for instruction in function.in_blocks(loop.own):
        work = function.processor.arithmetic(instruction)
        if work is not None:
            widths[work.width] = widths.get(work.width, 0) + work.flops
            sums |= work.sums
    return MachineLoop(function, loop, depth, sum(widths.values()), widths, sums)


def hot_loop(disassembly: Disassembly, graph: CallGraph) -> MachineLoop | None:
    """The loop that does most of the arithmetic; ``None`` when no loop does any.

    It is the one with the most operations per iteration, outside of inner loops, times a constant per level of nesting
    and for a register tile. Loops that only multiply, such as C *= beta, come after all that add. Two rules tell main
    loops from what they leave over:

    - Of two loops that one iteration of a common outer loop chooses between - a full register tile or an edge - the one
      with more operations per iteration is hotter, however deep the other is nested: full tiles are the rule.
    - Of two vector loops that follow each other in one outer loop the first is hotter, even if the compiler used wider
      vectors for the second: the author's loop comes first, and the second finishes the row.
    """
    ranked = sorted(floating_loops(disassembly, graph), key=lambda loop: loop.weight, reverse=True)
    if not ranked:
        return None
    best = ranked[0]
    for loop in ranked[1:_MAX_RIVALS]:
        if loop.sums == best.sums and loop.flops > best.flops and _alternatives(disassembly, graph, best, loop):
            best = loop
    for loop in ranked[:_MAX_RIVALS]:
        if loop.sums == best.sums and _finishes(best, loop):
            best = loop
    return best


def _finishes(later: MachineLoop, first: MachineLoop) -> bool:
    """Whether a vector loop comes after a narrower one, as deep as itself, in the same outer loop."""
    if first.function is not later.function or first.depth != later.depth:
        return False
    if not 0 < max(first.widths) < max(later.widths):
        return False
    flow = first.function.flow
    if first.loop.parent != later.loop.parent and not _in_one_loop(first, later):
        return False
    return flow.leads(min(first.loop.entries), min(later.loop.entries)) and not flow.leads(
        min(later.loop.entries), min(first.loop.entries)
    )


def _in_one_loop(one: MachineLoop, other: MachineLoop) -> bool:
    """Whether a loop of their function lies around both."""
    enclosing = one.function.flow.enclosing
    return bool(set(enclosing(min(one.loop.entries))) & set(enclosing(min(other.loop.entries))))


def _alternatives(disassembly: Disassembly, graph: CallGraph, one: MachineLoop, other: MachineLoop) -> bool:
    """Whether one iteration of a loop around both runs only one of two loops."""
    for (function, first), (twin, second) in zip(way_to(graph, one), way_to(graph, other), strict=False):
        if function != twin:
            return False
        if first != second:
            flow = disassembly.functions[function].flow
            blocks = flow.block_at(first), flow.block_at(second)
            inside = graph.depth[function] > 0 or set(flow.enclosing(blocks[0])) & set(flow.enclosing(blocks[1]))
            return bool(inside) and flow.exclusive(*blocks)
    return False


def way_to(graph: CallGraph, loop: MachineLoop) -> list[tuple[int, int]]:
    """(function, address) from an exported function down to the loop: calls that lead there, then its entry."""
    at = loop.function.address
    way = [(at, loop.function.flow.starts[min(loop.loop.entries)])]
    seen = {at}
    while (call := graph.arrival.get(at)) is not None and call.caller not in seen:
        way.append((call.caller, call.address))
        at = call.caller
        seen.add(at)
    return way[::-1]
