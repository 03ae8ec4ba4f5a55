"""What a prompt states of problem, machine and rules: the places of ``prompts/system.txt``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qdkernel.core import ArrayArgument, Problem, Role, geometric_mean
from qdkernel.evaluators.measurement import CoreFacts
from qdkernel.evaluators.source import HEADERS, SIZE_LIMIT
from qdkernel.mutators.contract import Brief
from qdkernel.mutators.llm.prompts.budget import Variants, one_line
from qdkernel.mutators.llm.prompts.pool import Section
from qdkernel.mutators.llm.prompts.speeds import baseline_gflops, format_speed, host_line
from qdkernel.mutators.llm.prompts.wording import format_axes, format_bytes, listed, number, pairs

_ARM = ("aarch64", "arm64")
_X86_ONLY = frozenset({"immintrin.h", "x86intrin.h"})
_ARM_ONLY = frozenset({"arm_neon.h", "arm_sve.h"})
_ALIAS_BYTES = 4096  # sets times line of an L1 of 32 KiB in 8 ways; also where loads wait for stores (4 KiB aliasing)
_MOST_OFFSET = 16  # an extent is read as a scalar's name plus or minus at most this
_USE = {Role.IN: "read only", Role.INOUT: "read and written", Role.OUT: "written only, every element"}


def system_parts(brief: Brief, sections: Sequence[Section]) -> dict[str, Variants]:
    """The places of the system message; only the evolving sections may shrink."""
    problem, cores = brief.problem, brief.machine.cores
    counts = sorted({1, min(2, cores), cores})  # as the evaluator verifies
    values = {
        "problem": _problem(brief),
        "machine": _machine(brief),
        "source_kib": str(SIZE_LIMIT >> 10),
        "function": problem.name,
        "headers": ", ".join(_headers(brief.machine.arch)),
        "error_limit": f"{problem.error_limit:g}",
        "error_words": problem.error_words,
        "precision_words": "Lower precision fails."
        if problem.least_flops is None
        else "Fast algorithms such as Strassen's are welcome; lower precision fails.",
        "dtype": problem.dtype.name,
        "verify_words": f"{listed(list(map(str, counts)))} thread{'s' if counts[-1] > 1 else ''}",
        "threads_words": _threads(brief),
        "axes": format_axes(brief.machine.simd_widths),
    }
    parts: dict[str, Variants] = {name: (text,) for name, text in values.items()}
    whole = [f"## {section.name.capitalize()}\n{section.text}" for section in sections]
    parts["guidance"] = tuple("\n\n".join(whole[:count]) for count in range(len(whole), -1, -1))
    return parts


def _headers(arch: str) -> list[str]:
    """The headers a kernel may include and that exist on such a machine."""
    foreign = _X86_ONLY if arch in _ARM else _ARM_ONLY
    return sorted(HEADERS - foreign)


def _problem(brief: Brief) -> str:
    problem = brief.problem
    lines = [f"{problem.name}: {problem.summary}", "```c", f"{problem.prototype.rstrip().rstrip(';')};", "```"]
    lines += [_argument(problem, argument) for argument in problem.arrays]
    lines += ["Scored calls:", *(_scored(problem, size) for size in brief.sizes), *_aliasing(problem, brief.sizes)]
    return "\n".join(lines)


def _argument(problem: Problem, argument: ArrayArgument) -> str:
    names = [each.name for each in problem.arguments if not isinstance(each, ArrayArgument)]
    case = {name: 1000 * (index + 1) for index, name in enumerate(names)}
    shape = [_extent(extent, case) for extent in argument.shape(case)]
    facts = [] if None in shape else [" x ".join(filter(None, shape)) or "a single value"]
    if problem.dtype_of(argument) != problem.dtype:
        facts.append(problem.dtype_of(argument).name)
    facts.append(_USE[argument.role])
    facts += _strides(argument)
    if argument.index_bound is not None:
        bound = _extent(argument.index_bound(case), case)
        facts.append(f"values from 0 to {bound} - 1" if bound else "values are positions, counted from 0")
    return f"- {argument.name}: {', '.join(facts)}"


def _strides(argument: ArrayArgument) -> list[str]:
    """How far the elements of the dimensions with strides lie apart."""
    words = []
    for dimension, name in enumerate(argument.strides):
        if name is None:
            continue
        inside = len(argument.strides) - dimension - 1
        what = ("", "rows ", "planes ")[inside] if inside < 3 else "blocks "
        words.append(f"{what}{name} elements apart")
    return words


def _extent(value: int, case: Mapping[str, int]) -> str | None:
    """A number in the names of a call's scalars, e.g. ``(n + 2)``; ``None`` when it is not a scalar plus a constant.

    Extents are functions of a call's scalars, so they are asked for with scalars that are far apart.
    """
    near = next((name for name, each in case.items() if abs(value - each) <= _MOST_OFFSET), None)
    if near is None:
        return str(value) if 0 <= value <= _MOST_OFFSET else None
    offset = value - case[near]
    return near if offset == 0 else f"({near} {'+' if offset > 0 else '-'} {abs(offset)})"


def _scored(problem: Problem, size: Mapping[str, int]) -> str:
    case = problem.scored_case(size)
    flops, data = problem.flops(case), problem.bytes(case)
    rest = pairs((name, value) for name, value in case.items() if name not in size)
    return (
        f"- {pairs(size.items())}{f' ({rest})' if rest else ''}: {number(flops / 1e6)} Mflop on {format_bytes(data)},"
        f" {number(flops / data)} flop/byte"
    )


def _aliasing(problem: Problem, sizes: Sequence[Mapping[str, int]]) -> list[str]:
    """A remark when rows of an array lie a multiple of 4,096 bytes apart: their columns share few sets of the L1."""
    found: dict[tuple[str, ...], list[str]] = {}
    for size in sizes:
        case = problem.scored_case(size)
        strides = {
            argument.name: case[name] * problem.dtype_of(argument).itemsize
            for argument in problem.arrays
            for name in argument.strides[:-1]
            if name is not None
        }
        apart = tuple(name for name, bytes_ in strides.items() if bytes_ and bytes_ % _ALIAS_BYTES == 0)
        if apart:
            found.setdefault(apart, []).append(pairs(size.items()))
    return [
        f"- rows of {listed(list(names))} lie a multiple of 4,096 bytes apart"
        f"{'' if len(at) == len(sizes) else ' at ' + '; '.join(at)}, so a column's elements share L1 sets"
        for names, at in found.items()
    ]


def _arm_vectors(widths: Sequence[int]) -> str:
    """What an Arm processor's widths are of: the flags fix the length of scalable vectors to the machine's."""
    return " (NEON)" if len(widths) == 1 else f" (NEON, and SVE whose length is fixed to {max(widths)} bits)"


def _machine(brief: Brief) -> str:
    """Hardware facts, a line each; what is not known is left out."""
    machine, yard = brief.machine, brief.reference_speeds
    cores = f"{machine.cores} core{'s' if machine.cores > 1 else ''}"
    lines = [f"- {one_line(machine.cpu)}, {machine.arch}, {cores}; kernels are timed with {_threads(brief)} of OpenMP"]
    if machine.simd_widths:
        widths, wide = listed([str(width) for width in machine.simd_widths]), max(machine.simd_widths) > 256
        arm = machine.arch in _ARM
        registers = 32 if wide or arm else 16  # AVX has 16; AVX-512, NEON and SVE have 32
        kinds = _arm_vectors(machine.simd_widths) if arm else ""
        lines.append(f"- SIMD: {widths} bits{kinds}, {registers} vector registers")
    if machine.caches:
        sizes = [_cache(name, size, machine.cache_ways.get(name)) for name, size in sorted(machine.caches.items())]
        lines.append(f"- data caches: {', '.join(sizes)}{_sharing(machine.last_level_instances)}")
    lines += _core(yard.core)
    lines += _limits(brief)
    if yard.compiler:
        lines.append(f"- compiler: {one_line(yard.compiler)}")
    speed = baseline_gflops(brief)
    if yard.baseline and speed:
        lines.append(f"- baseline: {one_line(yard.baseline)}, {number(speed)} GFLOP/s{_baseline_sizes(brief)}")
    if brief.elites:
        best = max(brief.elites.values(), key=lambda elite: elite.objective)
        lines.append(f"- best kernel so far: {format_speed(brief, best)}")
    lines += filter(None, [host_line(brief)])
    return "\n".join(lines)


def _cache(name: str, size: int, ways: int | None) -> str:
    return f"{name} {format_bytes(size)}" + (f" in {ways} ways" if ways else "")


def _core(core: CoreFacts | None) -> list[str]:
    """Clock, loads and stores per cycle, and TLBs of one core."""
    if core is None:
        return []
    moves = f"{number(core.loads)} loads or {number(core.stores)} stores of {core.vector_bits} bits a cycle with L1"
    line = f"- one core: {number(core.clock_ghz)} GHz; {moves}"
    entries = [str(count) for count in core.tlb_entries if count]
    return [line + (f"; data TLBs of {' and '.join(entries)} pages of 4 KiB" if entries else "")]


def _threads(brief: Brief) -> str:
    return f"{brief.threads} thread{'s' if brief.threads > 1 else ''}"


def _sharing(instances: int) -> str:
    return f" ({instances} outermost caches)" if instances > 1 else ""


def _limits(brief: Brief) -> list[str]:
    yard, known = brief.reference_speeds, []
    if yard.peak_gflops > 0:
        widths = ", ".join(f"{level} {number(peak)}" for level, peak in yard.peaks.items())
        known.append(f"peak {number(yard.peak_gflops)} GFLOP/s" + (f" (by SIMD level: {widths})" if widths else ""))
    if yard.triad_gbytes_per_s > 0:
        known.append(f"memory (STREAM triad) {number(yard.triad_gbytes_per_s)} GB/s")
    if not known:
        return []
    line = f"- measured with {_threads(brief)}: {', '.join(known)}"
    if len(known) == 2:
        line += f"; both limits meet at {number(yard.peak_gflops / yard.triad_gbytes_per_s)} flop/byte"
    return [line]


def _baseline_sizes(brief: Brief) -> str:
    speeds = brief.reference_speeds.baseline_gflops
    if len(speeds) < 2:
        return ""
    scale = baseline_gflops(brief) / geometric_mean(speeds) if all(speed > 0 for speed in speeds) else 1.0
    return f" ({', '.join(number(scale * speed) for speed in speeds)} at the scored calls in turn)"
