"""How a kernel divides its time among packing, hot loop and the rest, from places its first thread was seen at."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import Enum

from qdkernel.evaluators.behaviour.hot_loop import MachineLoop
from qdkernel.evaluators.behaviour.packing import copies_in
from qdkernel.evaluators.binary import Disassembly, Function


class Part(Enum):
    """What a place in a kernel belongs to."""

    PACKING = "packing"
    """A loop that loads and stores without summing: copies into panels, and the scaling of C."""
    HOT_LOOP = "hot loop"
    """The loop that does most of the arithmetic, with the loops inside it."""
    AROUND = "around it"
    """The rest of its function, and the loops around it: tiles of C are read and written there."""
    EDGES = "edges"
    """Any other loop that sums."""
    LIBRARIES = "libraries"
    """Code outside of the kernel: memcpy, memory, and waiting for other threads."""
    REST = "rest"
    """Everything else."""


def time_split(disassembly: Disassembly, hot: MachineLoop, places: Iterable[int]) -> Mapping[Part, int]:
    """How many of the places belong to each part; places are addresses in the object."""
    starts = sorted(disassembly.functions)
    return Counter(_part(disassembly, starts, hot, place) for place in places)


def _part(disassembly: Disassembly, starts: list[int], hot: MachineLoop, place: int) -> Part:
    index = bisect_right(starts, place) - 1
    if index < 0:
        return Part.LIBRARIES
    function = disassembly.functions[starts[index]]
    last = function.instructions[-1]
    if place >= last.address + last.size:
        return Part.LIBRARIES
    flow = function.flow
    block = flow.block_at(place)
    if function is hot.function and block in hot.loop.body:
        return Part.HOT_LOOP
    number = next(iter(flow.enclosing(block)), None)
    loop = None if number is None else flow.loops[number]
    if function is hot.function and (loop is None or loop.body >= hot.loop.body):
        return Part.AROUND
    if loop is None:
        return Part.REST
    if copies_in(function, loop.own):
        return Part.PACKING
    return Part.EDGES if _sums(function, loop.own) else Part.REST


def _sums(function: Function, blocks: frozenset[int]) -> bool:
    work = (function.processor.arithmetic(each) for each in function.in_blocks(blocks))
    return any(each is not None and each.sums for each in work)
