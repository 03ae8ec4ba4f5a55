"""Which elites an exported library has: for each function, level of the CPU and scored size the fastest."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qdkernel.core import Outcome, Problem
from qdkernel.errors import ConfigError
from qdkernel.export.compiled.beyond import NOT_CALLED, CallsBeyond, Exported
from qdkernel.export.contract import Source
from qdkernel.export.record import ExportRecord
from qdkernel.machine import LEVELS, flags_of
from qdkernel.problems import find_problem, is_folder
from qdkernel.runs import Record, RunFolder, elites, source_bytes

PORTABLE = "portable"
_FLAG = re.compile(r"-[\w=.,+-]+", re.ASCII)
_LEVEL_OF_WIDTH = {512: "avx512", 256: "avx2", 128: "sse2"}


@dataclass(frozen=True)
class Variant:
    """A kernel of the library.

    Attributes:
        function: what it computes; the name of the C function.
        tag: distinguishes it from other kernels of the function; part of names in C and of files.
        source: C text.
        level: ``avx512``, ``avx2``, ``sse2`` or ``portable``: what the CPU must have.
        flags: of the compiler.
        sizes: at which it is the fastest; empty for a portable kernel.
        threads: it was measured with; 1 for a portable kernel.
        reentrant: threads may call it at the same time.
        origin: one line for people.
        beyond: what is known of calls far beyond the scored sizes.
    """

    function: str
    tag: str
    source: bytes
    level: str
    flags: tuple[str, ...]
    sizes: tuple[Mapping[str, int], ...]
    threads: int
    reentrant: bool
    origin: str
    beyond: str

    @property
    def symbol(self) -> str:
        """The name of its C function in the library."""
        return f"qd_{self.function}_{self.tag}"


@dataclass(frozen=True)
class Function:
    """A function of the library.

    Attributes:
        problem: what it computes.
        variants: its kernels, by descending level, a portable one last.
        is_own: whether qdkernel declares the problem, so that its name identifies the BLAS routine.
    """

    problem: Problem
    variants: tuple[Variant, ...]
    is_own: bool


@dataclass(frozen=True)
class _Candidate:
    """An elite: ``ratios`` has the baseline's time over its own by scored size."""

    record: ExportRecord
    stored: Record
    folder: RunFolder
    ratios: Mapping[tuple[int, ...], float]


def chosen_functions(source: Source, to: str, calls: CallsBeyond) -> list[Function]:
    """The functions of a library, in the order of the runs.

    Kernels are compared by their ratio to the baseline on the machine where they were measured, so that runs on
    different machines of one level compare. A kernel that fails far beyond the scored sizes makes room for the next.

    Raises:
        ConfigError: the selection asks for more than elites, there is none, none is right far beyond the scored sizes,
            kernels cannot be called there on this machine, or runs differ in what a name means.
    """
    if source.selection.only not in (None, "elites"):
        raise ConfigError(f"export --to {to} writes elites; --only {source.selection.only} does not go with it")
    problems: dict[str, Problem] = {}
    own: dict[str, bool] = {}
    candidates: dict[str, dict[str, list[_Candidate]]] = defaultdict(lambda: defaultdict(list))
    for folder in source.folders:
        found = _candidates(source, folder)
        if not found:
            continue
        problem, level = find_problem(folder.facts.problem), _level(folder)
        if problems.setdefault(problem.name, problem).prototype != problem.prototype:
            raise ConfigError(f"{folder.path}: another run has another prototype of {problem.name}; export it apart")
        own[problem.name] = not is_folder(folder.facts.problem)
        candidates[problem.name][level] += found
    if not problems:
        raise ConfigError(f"--to {to}: expected a run with elites, but there is none; nothing to export")
    functions = []
    for name, problem in problems.items():
        if variants := _variants(problem, candidates[name], calls):
            functions.append(Function(problem, (*variants, _portable(problem, own[name])), own[name]))
        else:
            source.say(f"{name} is left out: none of its elites is right far beyond the scored sizes")
    if not functions:
        raise ConfigError(
            f"--to {to}: none of the elites is right far beyond the scored sizes, so there is nothing to export"
        )
    return functions


def _candidates(source: Source, folder: RunFolder) -> list[_Candidate]:
    """The run's elites that have timings."""
    stored = {record.number: record for record in elites(folder.evaluations.records()).values()}
    run = folder.path.resolve().name
    return [
        _Candidate(record, stored[record.evaluation], folder, ratios)
        for record in source.records
        if record.run == run and record.elite and record.outcome is Outcome.OK and (ratios := _ratios(record))
    ]


def _level(folder: RunFolder) -> str:
    """The least level that a CPU needs for the run's kernels when they are compiled for that level."""
    machine = folder.machine.machine
    if machine.arch not in ("x86_64", "AMD64"):
        raise ConfigError(
            f"{folder.path}: expected a run on x86-64, whose instruction sets a library can tell apart, got "
            f"{machine.arch}; export --to c writes its kernels"
        )
    return machine.isa or _LEVEL_OF_WIDTH[max(machine.simd_widths, default=128)]


def _variants(problem: Problem, by_level: Mapping[str, Sequence[_Candidate]], calls: CallsBeyond) -> list[Variant]:
    made = []
    for level in reversed(tuple(LEVELS)):
        best = _fastest(by_level.get(level, ()), level, calls)
        kernels = {candidate.record.kernel_id: (candidate, exported) for candidate, exported in best.values()}
        for kernel_id, (candidate, exported) in kernels.items():
            fastest_at = [size for size, (other, _) in best.items() if other.record.kernel_id == kernel_id]
            sizes = [dict(zip(problem.size_names, size, strict=True)) for size in fastest_at]
            made.append(_variant(problem, level, candidate, sizes, exported))
    return made


def _fastest(
    candidates: Sequence[_Candidate], level: str, calls: CallsBeyond
) -> dict[tuple[int, ...], tuple[_Candidate, Exported]]:
    """By size the fastest that is right far beyond the scored sizes."""
    best = {}
    for size in dict.fromkeys(size for candidate in candidates for size in candidate.ratios):
        measured = [candidate for candidate in candidates if size in candidate.ratios]
        for candidate in sorted(measured, key=lambda one: one.ratios[size], reverse=True):
            exported = calls.exported(candidate.folder, candidate.stored, level)
            if exported is not None:
                best[size] = candidate, exported
                break
    return best


def _variant(
    problem: Problem, level: str, candidate: _Candidate, sizes: Sequence[Mapping[str, int]], exported: Exported
) -> Variant:
    record, facts = candidate.record, candidate.folder.facts
    reentrancy = candidate.stored.evaluation.evidence.get("re-entrancy", "")
    return Variant(
        function=problem.name,
        tag=f"{level}_{record.kernel_id[:12]}",
        source=source_bytes(exported.kernel),
        level=level,
        flags=_flags(candidate.folder, level),
        sizes=tuple(sizes),
        threads=facts.threads,
        reentrant=reentrancy.startswith("yes"),
        origin=f"kernel {record.kernel_id[:12]}, {record.cell}, of run {_plain(record.run)}",
        beyond=exported.beyond,
    )


def _portable(problem: Problem, is_own: bool) -> Variant:
    """The problem's naive kernel; it uses only instructions that every CPU has. A user's may have static memory."""
    name = problem.seeds[0]
    return Variant(
        function=problem.name,
        tag=PORTABLE,
        source=problem.seed_source(name).encode(),
        level=PORTABLE,
        flags=("-O3", "-fopenmp"),
        sizes=(),
        threads=1,
        reentrant=is_own,
        origin=f"the naive kernel {name}",
        beyond=NOT_CALLED,
    )


def _flags(folder: RunFolder, level: str) -> tuple[str, ...]:
    """The run's flags within the level; they end up in build files.

    Raises:
        ConfigError: one has characters that a build file would interpret.
    """
    for flag in folder.facts.flags:
        if not _FLAG.fullmatch(flag):
            raise ConfigError(f"{folder.path}: expected compiler flags such as -O3 or -march=native, got {flag!r:.60}")
    return flags_of(folder.facts.flags, level)


def _plain(text: str) -> str:
    """``text`` without what would end a comment or a string of C."""
    return re.sub(r"[^\w.+-]", "_", text, flags=re.ASCII)


def _ratios(record: ExportRecord) -> dict[tuple[int, ...], float]:
    """The baseline's time over the kernel's by scored size, of the whole measurements."""
    timings = json.loads(record.timing.per_size)
    return {tuple(each["size"]): each["ratio_median"] for each in timings if not each["bound"]}
