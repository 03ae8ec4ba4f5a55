"""Step 5 of an evaluation: the cell of a kernel, measured from what was compiled, with the reason for each level."""

from __future__ import annotations

import re

from qdkernel.core import AXES, Cell
from qdkernel.evaluators.behaviour.hot_loop import LEAST_ACCUMULATORS, CallGraph, MachineLoop, call_graph, hot_loop
from qdkernel.evaluators.behaviour.packing import find_packing, has_copy_code
from qdkernel.evaluators.behaviour.threading import threading_level
from qdkernel.evaluators.behaviour.tile_loops import TileLoop, tile_loops
from qdkernel.evaluators.binary import FAR_PREFETCH, NEAR_PREFETCH, Disassembly, SharedObject, is_streaming_store
from qdkernel.evaluators.source import Definition, Syntax, parse

_CHUNKED = re.compile(r"schedule\s*\(\s*static\s*,")


def describe(
    source: str, so: SharedObject, disassembly: Disassembly, extent: int, nest_depth: int
) -> tuple[Cell, dict[str, str]]:
    """The cell of a kernel and, per axis, one sentence that says why.

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
        Level indices in the order of ``AXES``, and the sentences by axis name.
    """
    graph = call_graph(disassembly)
    hot = hot_loop(disassembly, graph)
    entry = so.exports[0] if so.exports else ""
    found = {
        "blocking": _blocking(parse(source), entry, so, disassembly, graph, hot, extent, nest_depth),
        "simd": _simd(hot),
        "threading": threading_level(disassembly, graph),
        "prefetch": _prefetch(disassembly, graph),
    }
    cell = Cell(*(axis.levels.index(found[axis.name][0]) for axis in AXES))
    return cell, {name: sentence for name, (_, sentence) in found.items()}


def _simd(hot: MachineLoop | None) -> tuple[str, str]:
    if hot is None:
        return "scalar", "no loop does floating-point arithmetic"
    width = max(hot.widths)
    where = f"in the hot loop of {hot.function.name}"
    if width == 0:
        return "scalar", f"{hot.flops} scalar operations per iteration {where}"
    return str(width), f"{hot.widths[width]} of {hot.flops} operations per iteration are {width} bits wide {where}"


def _prefetch(disassembly: Disassembly, graph: CallGraph) -> tuple[str, str]:
    seen: dict[str, tuple[str, str]] = {}
    for address, depth in graph.depth.items():
        function = disassembly.functions[address]
        for instruction in function.instructions:
            mnemonic = instruction.mnemonic
            near = mnemonic in NEAR_PREFETCH
            far = mnemonic in FAR_PREFETCH or ("movnt" in mnemonic and is_streaming_store(mnemonic))
            if (near or far) and depth + function.depth_at(instruction.address) > 0:
                seen.setdefault("near" if near else "far", (mnemonic, function.name))
    if not seen:
        return "none", "no prefetch or streaming store in a loop"
    sentence = "; ".join(f"{mnemonic} in a loop of {name}" for mnemonic, name in seen.values())
    return ("both" if len(seen) == 2 else next(iter(seen))), sentence


def _blocking(
    syntax: Syntax,
    entry: str,
    so: SharedObject,
    disassembly: Disassembly,
    graph: CallGraph,
    hot: MachineLoop | None,
    extent: int,
    nest_depth: int,
) -> tuple[str, str]:
    if hot is None:
        return "none", "no loop does floating-point arithmetic"
    live = syntax.live(entry)
    sums = len(hot.carried)
    register = sums >= LEAST_ACCUMULATORS
    reason = f"{sums} register{'s carry' if sums != 1 else ' carries'} sums through the hot loop of {hot.function.name}"
    tile, untiled = _tile(syntax, live, hot, extent, nest_depth)
    if tile is None:
        return ("register" if register else "none"), f"{reason}; {untiled}"
    reason += f"; {tile.function} steps by tiles of {tile.tile}, and the hot loop is {hot.depth} deep"
    if not register:
        return "cache", reason
    packing = find_packing(syntax, live)
    if packing is None or not has_copy_code(so, disassembly, graph):
        return "cache+register", f"{reason}; no panel is packed"
    return "packed", f"{reason}; {packing.function} packs into {packing.target}"


def _tile(
    syntax: Syntax, live: list[Definition], hot: MachineLoop, extent: int, nest_depth: int
) -> tuple[TileLoop | None, str]:
    """The tile loop around the hot loop, or why there is none."""
    depth = hot.depth - _has_chunks(syntax, live)
    if depth <= nest_depth:
        return None, f"the hot loop is {depth} deep, no deeper than the plain nest of {nest_depth}"
    tile = next(tile_loops(syntax, live, extent), None)
    return tile, f"no loop of the source steps by a tile of 8 to {extent - 1} that bounds the loops inside"


def _has_chunks(syntax: Syntax, live: list[Definition]) -> bool:
    """Whether a static schedule has chunks: the compiler makes a loop of its own over them."""
    return any(
        _CHUNKED.search((node.text or b"").decode("utf-8", "replace"))
        for definition in live
        for node in syntax.walk(definition.body)
        if node.type == "preproc_call"
    )
