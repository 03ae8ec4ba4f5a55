"""The cell of a kernel, from what was compiled and from what ran, with the reason for each level."""

from __future__ import annotations

import re
from collections.abc import Mapping

from qdkernel.core import AXES, Cell
from qdkernel.evaluators.behaviour.busiest_loop import LEAST_SHARE, BusiestLoop, busiest_loop
from qdkernel.evaluators.behaviour.hot_loop import LEAST_ACCUMULATORS, MachineLoop, call_graph, hot_loop
from qdkernel.evaluators.behaviour.loop_facts import loop_facts
from qdkernel.evaluators.behaviour.observed import Observed
from qdkernel.evaluators.behaviour.packing import copied_bytes, find_packing, has_copy_code
from qdkernel.evaluators.behaviour.threading import observed_threading, threading_level
from qdkernel.evaluators.behaviour.tile_loops import TileLoop, tile_loops
from qdkernel.evaluators.binary import Disassembly, SharedObject
from qdkernel.evaluators.source import Definition, Syntax, parse

_CHUNKED = re.compile(r"schedule\s*\(\s*static\s*,")


LEAST_COPIED = 0.5
"""Share of the smallest operand that a run must copy for its kernel to count as packed; by thought: a kernel that packs
anything packs one operand at least, and an edge is less than half."""
LEAST_PREFETCHED = 0.01
"""Share of the cache lines of all arrays that must be prefetched for a prefetch to count; by thought."""
_LINE = 64


def describe(
    source: str, so: SharedObject, disassembly: Disassembly, extent: int, nest_depth: int
) -> tuple[Cell, dict[str, str]]:
    """The cell of a kernel as far as its code shows it and, per axis, one sentence with the reason.

    The *hot loop* is the loop of the machine code that does most of the arithmetic (``hot_loop``). Levels:

    - simd: the widest packed floating-point arithmetic in the hot loop.
    - threading: see ``threading_level``.
    - prefetch: instructions in loops of reachable code; to the first-level cache is near, to an outer one or past the
      caches (and streaming stores) is far. Outside of loops they do not count.
    - blocking: *register* needs at least 4 vector registers that carry sums through the hot loop. *cache* needs a tile
      loop in live source (``tile_loops``) and a hot loop nested deeper than the textbook's nest. *packed* is both, plus
      a copy into scratch memory in live source (``find_packing``) and in the object (``has_copy_code``).

    Comments, names, layout and code that is never reached move nothing.

    Args:
        source: the kernel's text.
        so: what it was compiled to.
        disassembly: of ``so``.
        extent: the largest scored loop length; a tile of at least that size does not tile.
        nest_depth: loops in the textbook implementation's nest.

    Returns:
        Level indices in the order of ``AXES``, and the sentences by axis name; one on the ``hot loop`` beside them.
    """
    code = _Code(source, so, disassembly, extent, nest_depth)
    hot = hot_loop(disassembly, code.graph)
    copies = has_copy_code(so, disassembly, code.graph)
    found = {
        "blocking": _blocking(code, hot, 0, None if copies else "no panel is packed"),
        "simd": _simd(hot),
        "threading": threading_level(disassembly, code.graph),
        "prefetch": _prefetch(code, None),
    }
    return _cell(found, hot)


def describe_run(
    source: str, so: SharedObject, disassembly: Disassembly, extent: int, nest_depth: int, observed: Observed
) -> tuple[Cell, dict[str, str]]:
    """The cell of a kernel by what ran, and the reasons; as ``describe`` with these differences.

    - The hot loop is the one that executed most operations; a width counts from 1 % of them.
    - Loops around it count only when they made more iterations than they were entered.
    - A kernel is packed when its copies moved at least half of the smallest operand.
    - A prefetch counts when its kind reached at least 1 % of the cache lines of all arrays.
    - threading: see ``observed_threading``.

    Raises:
        ValueError: code ran that no call leads to.
    """
    code = _Code(source, so, disassembly, extent, nest_depth)
    for address, function in disassembly.functions.items():
        if observed.ran(address) and address not in code.graph.depth:
            raise ValueError(f"{function.name} ran, and no call leads to it")
    busiest = busiest_loop(disassembly, code.graph, observed)
    hot, idle = (busiest.loop, busiest.idle) if busiest else (None, 0)
    copied = copied_bytes(disassembly, observed)
    little = f"{copied} bytes were copied, and packing the smallest operand takes {observed.operand_bytes}"
    packs = 0 < LEAST_COPIED * observed.operand_bytes <= copied
    found = {
        "blocking": _blocking(code, hot, idle, None if packs else little),
        "simd": _executed_simd(busiest),
        "threading": observed_threading(disassembly, code.graph, observed),
        "prefetch": _prefetch(code, observed),
    }
    return _cell(found, hot)


class _Code:
    """A kernel's source and code as the levels are read from them."""

    def __init__(self, source: str, so: SharedObject, disassembly: Disassembly, extent: int, nest_depth: int) -> None:
        self.syntax = parse(source)
        self.live = self.syntax.live(so.exports[0] if so.exports else "")
        self.disassembly = disassembly
        self.graph = call_graph(disassembly)
        self.extent, self.nest_depth = extent, nest_depth


def _cell(found: Mapping[str, tuple[str, str]], hot: MachineLoop | None) -> tuple[Cell, dict[str, str]]:
    cell = Cell(*(axis.levels.index(found[axis.name][0]) for axis in AXES))
    evidence = {name: sentence for name, (_, sentence) in found.items()}
    if hot is not None:
        evidence["hot loop"] = str(loop_facts(hot.instructions, hot.function.processor))
    return cell, evidence


def _simd(hot: MachineLoop | None) -> tuple[str, str]:
    if hot is None:
        return "scalar", "no loop does floating-point arithmetic"
    width = max(hot.widths)
    where = f"in the hot loop of {hot.function.name}"
    if width == 0:
        return "scalar", f"{hot.flops} scalar operations per iteration {where}"
    return str(width), f"{hot.widths[width]} of {hot.flops} operations per iteration are {width} bits wide {where}"


def _executed_simd(busiest: BusiestLoop | None) -> tuple[str, str]:
    if busiest is None:
        return "scalar", "no loop did floating-point arithmetic"
    hot = busiest.loop
    width = max(width for width, flops in hot.widths.items() if flops >= LEAST_SHARE * hot.flops)
    where = f"in the hot loop of {hot.function.name}, which did {busiest.share:.0%} of all"
    if width == 0:
        return "scalar", f"scalar operations {where}"
    return str(width), f"{hot.widths[width] / hot.flops:.0%} of the operations were {width} bits wide {where}"


def _prefetch(code: _Code, observed: Observed | None) -> tuple[str, str]:
    """From the instructions in loops; where a run was observed, from those that reached enough cache lines."""
    where: dict[str, tuple[str, str]] = {}
    lines = {"near": 0, "far": 0}
    for address, depth in code.graph.depth.items():
        function = code.disassembly.functions[address]
        for instruction in function.instructions:
            kind = function.processor.prefetch(instruction)
            if kind is not None and depth + function.depth_at(instruction.address) > 0:
                where.setdefault(kind, (instruction.mnemonic, function.name))
                if observed is not None:
                    lines[kind] += observed.counts[address][function.flow.block_at(instruction.address)]
    if observed is not None:
        least = LEAST_PREFETCHED * observed.array_bytes / _LINE
        where = {kind: place for kind, place in where.items() if lines[kind] >= least}
    if not where:
        return "none", "no prefetch or streaming store in a loop" + ("" if observed is None else " ran often enough")
    sentence = "; ".join(f"{mnemonic} in a loop of {name}" for mnemonic, name in where.values())
    return ("both" if len(where) == 2 else next(iter(where))), sentence


def _blocking(code: _Code, hot: MachineLoop | None, idle: int, unpacked: str | None) -> tuple[str, str]:
    """From the hot loop, the number of loops around it that do not repeat, and why its code does not pack, if so."""
    if hot is None:
        return "none", "no loop does floating-point arithmetic"
    sums = len(hot.carried)
    register = sums >= LEAST_ACCUMULATORS
    reason = f"{sums} register{'s carry' if sums != 1 else ' carries'} sums through the hot loop of {hot.function.name}"
    tile, untiled = _tile(code, hot.depth - idle)
    if tile is None:
        return ("register" if register else "none"), f"{reason}; {untiled}"
    reason += f"; {tile.function} steps by tiles of {tile.tile}, and the hot loop is {hot.depth - idle} deep"
    if not register:
        return "cache", reason
    packing = find_packing(code.syntax, code.live)
    if packing is None or unpacked:
        return "cache+register", f"{reason}; {unpacked or 'no panel is packed'}"
    return "packed", f"{reason}; {packing.function} packs into {packing.target}"


def _tile(code: _Code, hot_depth: int) -> tuple[TileLoop | None, str]:
    """The tile loop around the hot loop, or why there is none."""
    depth = hot_depth - _has_chunks(code.syntax, code.live)
    if depth <= code.nest_depth:
        return None, f"the hot loop is {depth} deep, no deeper than the plain nest of {code.nest_depth}"
    tile = next(tile_loops(code.syntax, code.live, code.extent), None)
    return tile, f"no loop of the source steps by a tile of 8 to {code.extent - 1} that bounds the loops inside"


def _has_chunks(syntax: Syntax, live: list[Definition]) -> bool:
    """Whether a static schedule has chunks: the compiler makes a loop of its own over them."""
    return any(
        _CHUNKED.search((node.text or b"").decode("utf-8", "replace"))
        for definition in live
        for node in syntax.walk(definition.body)
        if node.type == "preproc_call"
    )
