"""The loop of a kernel that does most of the arithmetic, as it was counted in an observed run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from qdkernel.evaluators.behaviour.hot_loop import CallGraph, MachineLoop, call_graph, way_to
from qdkernel.evaluators.behaviour.observed import Observed, repeats
from qdkernel.evaluators.binary import Disassembly, Function

LEAST_SHARE = 0.01
"""Share of the hot loop's operations from which a width counts; by thought: what rounds off a row does less."""


@dataclass(frozen=True)
class BusiestLoop:
    """The hot loop of an observed run.

    Attributes:
        loop: its code; ``flops`` and ``widths`` are operations that were executed, of blocks that ran.
        share: of all operations in loops.
        idle: loops around it that made no more iterations than they were entered: none at these sizes.
    """

    loop: MachineLoop
    share: float
    idle: int


def busiest_loop(disassembly: Disassembly, graph: CallGraph, observed: Observed) -> BusiestLoop | None:
    """The loop that executed most operations, inner loops not counted; ``None`` when no loop executed any."""
    loops = [
        _executed(function, number, graph.depth.get(address, 0), observed)
        for address, function in disassembly.functions.items()
        for number in range(len(function.flow.loops))
    ]
    busiest = max(loops, key=lambda loop: loop.flops, default=None)
    if busiest is None or busiest.flops == 0:
        return None
    idle = sum(not repeats(function, number, observed) for function, number in _around(disassembly, graph, busiest))
    return BusiestLoop(busiest, busiest.flops / sum(loop.flops for loop in loops), idle)


def executed_hot_loop(disassembly: Disassembly, observed: Observed) -> MachineLoop | None:
    """The loop that executed most operations; ``None`` when no loop executed any."""
    found = busiest_loop(disassembly, call_graph(disassembly), observed)
    return found.loop if found else None


def _executed(function: Function, number: int, base_depth: int, observed: Observed) -> MachineLoop:
    loop, counts = function.flow.loops[number], observed.counts[function.address]
    widths: dict[int, int] = {}
    sums = False
    ran = frozenset(block for block in loop.own if counts[block])
    for block in ran:
        for instruction in function.in_blocks(frozenset((block,))):
            work = function.processor.arithmetic(instruction)
            if work is not None:
                widths[work.width] = widths.get(work.width, 0) + work.flops * counts[block]
                sums |= work.sums
    depth = base_depth + function.depth_at(function.flow.starts[min(loop.entries)])
    return MachineLoop(function, loop, depth, sum(widths.values()), widths, sums)


def _around(disassembly: Disassembly, graph: CallGraph, busiest: MachineLoop) -> Iterator[tuple[Function, int]]:
    """The loops of the source around the hot loop and itself, with the functions they lie in."""
    for address, place in way_to(graph, busiest):
        function = disassembly.functions[address]
        for number in function.flow.enclosing(function.flow.block_at(place)):
            if number not in function.dealing_loops:
                yield function, number
