"""How a kernel shares its work among threads: read from its machine code, and as the runtime saw it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from qdkernel.evaluators.behaviour.atomic_counter import draws_share
from qdkernel.evaluators.behaviour.busiest_loop import LEAST_SHARE
from qdkernel.evaluators.behaviour.hot_loop import CallGraph
from qdkernel.evaluators.behaviour.observed import Observed
from qdkernel.evaluators.behaviour.team_work import Part, dealt_loops, given_bodies, whole, work_share
from qdkernel.evaluators.binary import Disassembly, Function

_DYNAMIC = re.compile(r"GOMP_\w*(?:dynamic|guided|runtime)\w*|GOMP_sections?\w*|GOMP_parallel_sections\w*")
_REGION = re.compile(r"GOMP_parallel\w*")
_TASK = re.compile(r"GOMP_task(?:loop)?(?:_ull)?")


def threading_level(disassembly: Disassembly, graph: CallGraph) -> tuple[str, str]:
    """Level of the threading axis and why.

    - ``serial``: no reachable code starts a parallel region.
    - ``nested``: tasks; a parallel region started inside another one; or a two-dimensional partition: in the body of a
      region, a value that depends on the thread's number, or on the share that the runtime dealt it, is divided by
      anything but the number of threads, which is how one number becomes two (``collapse(2)``, ``id / columns``).
    - ``dynamic``: dynamic, guided or runtime schedules; sections, which threads take as they come free; or an atomic
      counter that the body of a region draws its next share from.
    - ``static``: every other parallel region, shares cut by hand included.
    """
    symbols = {r.symbol: f for f in _reachable(disassembly, graph) for r in f.references if r.symbol}
    starts = sorted(name for name in symbols if name.startswith("GOMP_parallel"))
    if not starts:
        return "serial", "no reachable code starts a parallel region"
    bodies = _bodies(disassembly, graph)
    if nested := _nested(disassembly, graph, symbols, bodies):
        return "nested", nested
    dealt = sorted(name for name in symbols if _DYNAMIC.fullmatch(name))
    if dealt:
        return "dynamic", f"shares are dealt while threads run ({dealt[0]})"
    for function in bodies:
        if draws_share(function):
            return "dynamic", f"{function.name} draws its shares from an atomic counter"
    return "static", f"shares are fixed when the region starts ({starts[0]})"


def observed_threading(disassembly: Disassembly, graph: CallGraph, observed: Observed) -> tuple[str, str]:
    """Level of the threading axis as the runtime saw it, and why.

    - ``serial``: no team had two threads; or shares were fixed, and one thread executed more than 99 % of all blocks.
    - ``nested``: tasks for a team of several threads; a region of several threads inside another; or a body that cuts
      its shares in two dimensions (see ``threading_level``).
    - ``dynamic``: loops or sections of which more shares than one each were dealt while threads ran; or a body that
      draws its shares from an atomic counter. Which thread took them depends on the host, so it does not count.
    - ``static``: every other team.

    Tasks, inner regions, dealt loops and such bodies count from 1 % of all executed blocks, with what they call.
    """
    seen, team = observed.runtime, f"a team of {observed.team}"
    if observed.team < 2:
        return (
            "serial",
            f"{seen.regions} parallel regions ran, none with two threads" if seen.regions else "no team ran",
        )

    def worked(parts: Iterable[Part]) -> bool:
        return work_share(disassembly, graph, observed, parts) >= LEAST_SHARE

    reachable = list(_reachable(disassembly, graph))
    inside = _bodies(disassembly, graph)
    if seen.tasks > 1 and worked(given_bodies(disassembly, reachable, _TASK)):
        return "nested", f"{seen.tasks} tasks were made for {team}"
    if seen.nested and worked(given_bodies(disassembly, inside, _REGION)):
        return "nested", f"{seen.nested} regions of several threads ran inside others"
    bodies = [function for function in inside if worked([whole(function)])]
    alone = observed.helped < LEAST_SHARE
    if (cut := _cut_in_two(graph, bodies)) and not alone:
        return "nested", f"{cut}, and it ran in {team}"
    if seen.shares > seen.dealt_loops and worked(dealt_loops(reachable)):
        return "dynamic", f"{seen.shares} shares of {seen.dealt_loops} loops or groups of sections were dealt to {team}"
    for function in bodies:
        if draws_share(function):
            return "dynamic", f"{function.name} draws its shares from an atomic counter, and it ran in {team}"
    if alone:
        return (
            "serial",
            f"{seen.regions} regions ran in {team}, but one thread did {1 - observed.helped:.1%} of the work",
        )
    return "static", f"{seen.regions} regions ran in {team}, with fixed shares"


def _reachable(disassembly: Disassembly, graph: CallGraph) -> Iterator[Function]:
    return (disassembly.functions[address] for address in graph.depth)


def _bodies(disassembly: Disassembly, graph: CallGraph) -> list[Function]:
    """The functions that run inside a parallel region."""
    inside = {c.callee for c in graph.calls if c.callee in graph.depth and _outlined(disassembly, c.callee)}
    while more := {c.callee for c in graph.calls if c.caller in inside and c.callee in graph.depth} - inside:
        inside |= more
    return [disassembly.functions[address] for address in sorted(inside)]


def _outlined(disassembly: Disassembly, address: int) -> bool:
    return "._omp_fn." in disassembly.functions[address].name


def _nested(
    disassembly: Disassembly, graph: CallGraph, symbols: dict[str, Function], bodies: list[Function]
) -> str | None:
    tasks = sorted(name for name in symbols if _TASK.fullmatch(name))
    if tasks:
        return f"tasks ({tasks[0]} in {symbols[tasks[0]].name})"
    for function in bodies:
        if any(r.symbol and r.symbol.startswith("GOMP_parallel") for r in function.references):
            return f"{function.name} starts a parallel region inside another one"
    return _cut_in_two(graph, bodies)


def _cut_in_two(graph: CallGraph, bodies: list[Function]) -> str | None:
    for function in bodies:
        if function.address in graph.splits:
            split, place = graph.splits[function.address]
            return f"{function.name} cuts shares in two dimensions (it divides the {split.value} at {place:#x})"
    return None
