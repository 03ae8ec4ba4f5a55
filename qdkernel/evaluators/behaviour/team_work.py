"""How much of a kernel's work was done in tasks, dealt shares and inner regions: empty ones make no level."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from qdkernel.evaluators.behaviour.hot_loop import CallGraph
from qdkernel.evaluators.behaviour.observed import Observed
from qdkernel.evaluators.binary import Disassembly, Function

Part = tuple[Function, frozenset[int]]
"""A function, and some of its blocks."""


def work_share(disassembly: Disassembly, graph: CallGraph, observed: Observed, parts: Iterable[Part]) -> float:
    """The share of all executed blocks that lie in parts of the code and in what these call.

    A function that is called from elsewhere as well counts in full, so the share is an upper bound.
    """
    inside: dict[int, set[int]] = {}
    pending = list(parts)
    while pending:
        function, blocks = pending.pop()
        known = inside.setdefault(function.address, set())
        new = blocks - known
        known |= new
        for call in graph.calls:
            own = call.caller == function.address and call.callee in graph.depth
            if own and function.flow.block_at(call.address) in new:
                pending.append(whole(disassembly.functions[call.callee]))
    counts = observed.team_counts
    total = sum(map(sum, counts.values()))
    done = sum(counts[address][block] for address, blocks in inside.items() for block in blocks)
    return done / total if total else 0.0


def whole(function: Function) -> Part:
    """All blocks of a function."""
    return function, frozenset(range(len(function.flow.starts)))


def dealt_loops(functions: Iterable[Function]) -> Iterator[Part]:
    """The loops that take one share after another from the runtime."""
    for function in functions:
        for number in function.dealing_loops:
            yield function, frozenset(function.flow.loops[number].body)


def given_bodies(disassembly: Disassembly, functions: Iterable[Function], to: re.Pattern[str]) -> Iterator[Part]:
    """The outlined bodies that functions with calls of the runtime's functions ``to`` give it to run."""
    for function in functions:
        if any(reference.symbol and to.fullmatch(reference.symbol) for reference in function.references):
            bodies = (each.function for each in function.references if each.taken and each.function is not None)
            yield from (whole(disassembly.functions[body]) for body in bodies if body in disassembly.functions)
