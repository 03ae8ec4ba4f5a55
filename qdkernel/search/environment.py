"""From a configuration to everything a command needs to judge kernels on this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from qdkernel.config import Config, MachineConfig, converted
from qdkernel.core import BEHAVIOUR_VERSION, Cell, Evaluation, Kernel, Problem, cell_name, reachable_cells
from qdkernel.errors import ConfigError, unknown
from qdkernel.evaluators.measurement import (
    BaselineChoice,
    CoreFacts,
    MachinePeaks,
    TimingRule,
    load_or_measure_core,
    load_or_measure_peaks,
)
from qdkernel.evaluators.pipeline import (
    DUEL_RULE,
    CompileSpec,
    EvaluationContext,
    EvaluationSpec,
    EvaluationTask,
    RaceChecks,
    RunSpec,
    SharedScratch,
    TimingSpec,
    baseline_failures,
    check_integers,
    check_setup,
    check_sizes,
    check_speed,
    perform,
)
from qdkernel.evaluators.toolchain import CompileLimits, Toolchain, check_flags, find_toolchain
from qdkernel.machine import CoreLock, Machine, find_energy_meter, free_bytes, this_machine
from qdkernel.mutators import MUTATORS, OPERATORS, Mutator
from qdkernel.problems import find_problem
from qdkernel.runs import (
    BaselineRecord,
    CompilerRecord,
    MachineRecord,
    PeaksRecord,
    RunFolder,
    SizeSpeed,
    elites,
)

BUSY_HOST = (
    "other programs keep the cores busy: the baseline could not be timed undisturbed, so speeds are uncertain and "
    "kernels with fewer threads than it look too fast; stop them, or measure later"
)
"""The message to the user when ``RunEnvironment.busy``."""

_CACHE_SHARE = 0.75  # of a cache, for the arrays of a block; the rest is for what the kernel packs


def built_in_mutators() -> dict[str, Mutator]:
    """Every operator that needs no model."""
    return {name: make() for name, make in MUTATORS.items()}


@dataclass(frozen=True)
class RunEnvironment:
    """A configuration resolved against this machine.

    Attributes:
        config: what the user asked for.
        problem: what is computed.
        machine: this machine.
        peaks: what it can do at most.
        toolchain: the compiler.
        spec: what workers need; its baseline speeds are measured or taken from the run's folder.
        scratch: the scratch folder, removed when the environment is closed.
        baseline: name and version of what kernels are measured against.
        workers: evaluations at the same time.
        reachable: the cells that kernels can fill here.
        busy: whether other processes took the cores while the baseline was calibrated.
        core: what one core of it does in a cycle; ``None`` when not measured.
        mutators: the operators that need no model, by name.
        evaluate: what workers do with a task.
        times: whether that times kernels, so that the search must not compute meanwhile on the same host.
    """

    config: Config
    problem: Problem
    machine: Machine
    peaks: MachinePeaks
    toolchain: Toolchain
    spec: EvaluationSpec
    scratch: SharedScratch
    baseline: str
    workers: int
    reachable: frozenset[Cell]
    busy: bool = False
    core: CoreFacts | None = None
    mutators: Mapping[str, Mutator] = field(default_factory=built_in_mutators)
    evaluate: Callable[[EvaluationTask], Evaluation] = perform
    times: bool = True

    @property
    def timing(self) -> TimingSpec:
        """How kernels are timed, with the baseline's calibrated speeds."""
        assert self.spec.timing is not None
        return self.spec.timing

    def facts(self) -> MachineRecord:
        """What ``machine.json`` holds: all that the run's numbers depend on."""
        peaks: dict[str, dict[int, dict[str, float]]] = {}
        for peak in self.peaks.peaks:
            peaks.setdefault(peak.dtype, {}).setdefault(peak.threads, {})[peak.simd] = peak.gflops
        triads = {triad.threads: triad.best for triad in self.peaks.triads}
        speeds = zip(self.timing.sizes, self.timing.baseline_gflops, strict=True)
        return MachineRecord(
            problem=self.config.problem,
            dtype=self.problem.dtype.name,
            bandwidth_bound=self.problem.bandwidth_bound,
            threads=self.timing.threads,
            accuracy=self.spec.accuracy,
            cache=self.timing.cache,
            behaviour=BEHAVIOUR_VERSION,
            machine=self.machine,
            peaks=PeaksRecord(peak_gflops=peaks, triad_gbytes_per_s=triads),
            compiler=CompilerRecord(
                command=self.toolchain.command, version=self.toolchain.version, flags=self.toolchain.flags
            ),
            baseline=BaselineRecord(
                name=self.baseline, gflops=tuple(SizeSpeed(size=dict(size), gflops=speed) for size, speed in speeds)
            ),
            containment=int(self.spec.run.layers),
            energy=reason if isinstance(reason := find_energy_meter(), str) else "",
        )


@contextlib.contextmanager
def open_environment(
    config: Config, say: Callable[[str], None], baseline_gflops: tuple[float, ...] = ()
) -> Iterator[RunEnvironment]:
    """The environment of a configuration; its scratch folder is removed when the block ends.

    Args:
        config: the configuration.
        say: called before steps that take time (measuring peaks, calibrating the baseline).
        baseline_gflops: the baseline's speeds when they are known, as on resume.

    Raises:
        UnknownName: no such problem.
        ConfigError: sizes, threads or a level that the problem or the machine does not have.
        ToolchainError: no compiler or no baseline, or one with which no kernel could pass.
    """
    problem = find_problem(config.problem, config.accuracy)
    machine = this_machine(config.machine.isa)
    threads = resolve_threads(config, machine)
    sizes = resolve_sizes(config, problem, machine)
    check_integers(problem, sizes)
    toolchain = find_toolchain(config.compiler.command, machine.compiler_flags(config.compiler.flags))
    check_flags(toolchain)
    say(f"{machine.cpu}, {machine.cores} cores; {toolchain.version}; measuring its peaks once if need be")
    peaks = load_or_measure_peaks(machine, toolchain, exclusive=CoreLock().exclusive())
    core = load_or_measure_core(machine, toolchain, exclusive=CoreLock().exclusive())
    scratch = SharedScratch.make()
    try:
        spec = _spec(config, problem, machine, peaks, core, scratch, sizes, threads)
        assert spec.timing is not None
        check_sizes(problem, spec.timing, spec.run.run_s, free_bytes())
        say("trying compiler, flags and seed; preparing the baseline")
        context = EvaluationContext(spec)
        try:
            check_setup(context)
            name = context.baseline.name
            with baseline_failures(name):
                speeds = baseline_gflops or context.timer.calibrate()
            if busy := not context.timer.calibrated_quietly:
                say(BUSY_HOST)
            check_speed(context, speeds)
            timer = context.timer
            timing = replace(
                timer.spec, baseline_gflops=speeds, peak_gflops=timer.peak_gflops, simd_gflops=timer.simd_gflops
            )
            if timer.peak_gflops != timer.spec.peak_gflops:  # measured again, and cached
                peaks = load_or_measure_peaks(machine, toolchain)
        finally:
            context.close()
        spec = replace(spec, timing=timing)
        workers = machine.cores if config.workers == "all" else config.workers
        reachable = frozenset(reachable_cells(machine.simd_widths))
        yield RunEnvironment(
            config, problem, machine, peaks, toolchain, spec, scratch, name, workers, reachable, busy, core=core
        )
    finally:
        scratch.remove()


def with_isa(config: Config) -> Config:
    """The configuration with the instruction-set level that counts here, also one that ``QDKERNEL_ISA`` gives.

    Raises:
        ConfigError: an unknown level, or one that this machine lacks.
    """
    level = this_machine(config.machine.isa).isa
    return config.model_copy(update={"machine": MachineConfig.model_validate({"isa": level})})


def check_names(config: Config) -> None:
    """Checks the names in a configuration against the registries.

    Raises:
        UnknownName: no such problem or mutator; the message lists the known ones.
        ConfigError: the problem has no such rule of accuracy.
    """
    find_problem(config.problem, config.accuracy)
    known = set(OPERATORS)
    for mutator in config.mutators:
        if mutator.name not in known:
            raise unknown("mutator", mutator.name, known)


def resolve_threads(config: Config, machine: Machine) -> int:
    """The scored number of threads.

    Raises:
        ConfigError: more threads than cores.
    """
    if config.threads == "all":
        return machine.cores
    if config.threads > machine.cores:
        raise ConfigError(
            f"threads: expected at most the {machine.cores} cores this process may use, got {config.threads}; "
            "lower it or write all"
        )
    return config.threads


def resolve_sizes(config: Config, problem: Problem, machine: Machine) -> tuple[Mapping[str, int], ...]:
    """The scored sizes in the problem's dimensions.

    Raises:
        ConfigError: a size that names other dimensions than the problem's.
    """
    if config.sizes == "auto":
        return tuple(problem.default_sizes(machine.last_level_bytes))
    sizes: list[Mapping[str, int]] = []
    for i, size in enumerate(config.sizes):
        resolved = problem.size_from_int(size) if isinstance(size, int) else dict(size)
        if set(resolved) != set(problem.size_names):
            raise ConfigError(
                f"sizes[{i}]: expected the dimensions {', '.join(problem.size_names)} of {problem.name}, "
                f"got {', '.join(resolved)}"
            )
        sizes.append(resolved)
    return tuple(sizes)


def resolve_cache(problem: Problem, sizes: Sequence[Mapping[str, int]], machine: Machine) -> str:
    """The smallest cache that holds the arrays of a call at every scored size.

    Raises:
        ConfigError: there is none.
    """
    needed = max(problem.bytes(problem.scored_case(size)) for size in sizes)
    for name, size in sorted(machine.caches.items(), key=lambda item: item[1]):
        if needed <= _CACHE_SHARE * size:
            return name
    known = ", ".join(f"{name} of {size >> 10} KiB" for name, size in machine.caches.items()) or "none is known"
    raise ConfigError(
        f"timing.inputs: cached needs a cache that holds the arrays of a call, up to {needed / 2**10:.0f} KiB at the "
        f"scored sizes, with room to work; this machine has {known}; choose smaller sizes, or cold"
    )


def recorded_baseline(facts: MachineRecord, config: Config) -> tuple[float, ...] | None:
    """The baseline's speeds in a run's ``machine.json``; ``None`` when they do not apply here and now.

    A run's objectives are ratios times these speeds, so they compare only on the same CPU at the same
    instruction-set level with the same threads, sizes, problem, rule of accuracy and place of the inputs.
    """
    problem, machine = find_problem(config.problem), this_machine(config.machine.isa)
    here = (machine.cpu, machine.isa, resolve_threads(config, machine), config.problem, config.accuracy)
    if here != (facts.machine.cpu, facts.machine.isa, facts.threads, facts.problem, facts.accuracy):
        return None
    if (config.timing.inputs == "cached") != bool(facts.cache):
        return None
    recorded = facts.baseline.gflops
    sizes = [dict(size) for size in resolve_sizes(config, problem, machine)]
    if sizes != [dict(entry.size) for entry in recorded]:
        return None
    return tuple(entry.gflops for entry in recorded)


def _spec(
    config: Config,
    problem: Problem,
    machine: Machine,
    peaks: MachinePeaks,
    core: CoreFacts | None,
    scratch: SharedScratch,
    sizes: tuple[Mapping[str, int], ...],
    threads: int,
) -> EvaluationSpec:
    timing, limits = config.timing, config.limits
    cache = "" if timing.inputs == "cold" else resolve_cache(problem, sizes, machine)
    baseline = config.baseline.library
    return EvaluationSpec(
        problem=config.problem,
        scratch=str(scratch.folder),
        compile=CompileSpec(
            config.compiler.command,
            machine.compiler_flags(config.compiler.flags),
            CompileLimits(wall_s=limits.compile_s, memory_mb=limits.compile_memory_mb),
        ),
        run=converted(limits, RunSpec),
        timing=TimingSpec(
            sizes=sizes,
            cache=cache,
            cache_bytes=machine.caches.get(cache, 0),
            threads=threads,
            peak_gflops=peaks.plausible_gflops(problem.dtype.name, threads),
            triad_gbytes_per_s=peaks.triad_gbytes_per_s(threads),
            llc_bytes=machine.last_level_bytes,
            simd_gflops=peaks.plausible_by_simd(problem.dtype.name, threads),
            clock_ghz=core.clock_ghz if core else 0.0,
            baseline=BaselineChoice(None if baseline is None else str(baseline), config.baseline.symbol),
            rule=converted(timing, TimingRule, tie=None),  # a tie ends duels only
            duel_rule=replace(DUEL_RULE, block_ms=timing.block_ms, tie=timing.tie, quiet_s=timing.quiet_s),
            drop_ratio=timing.drop_ratio,
            patience=timing.patience,
        ),
        accuracy=config.accuracy,
        isa=machine.isa,
        races=RaceChecks(config.races),
        explain=bool(config.known_models),
    )


def seed_kernels(config: Config, problem: Problem) -> Iterator[tuple[str, Kernel]]:
    """The kernels a run starts from, each with its origin: the problem's own, the user's, and the elites of runs."""
    for name in problem.seeds:
        yield f"seed kernel {name}", Kernel(problem.seed_source(name))
    for path in config.seeds:
        if path.is_dir():
            with RunFolder.open(path) as folder:
                held = elites(folder.evaluations.records())
            for cell, record in held.items():
                yield f"elite of {path.name} in {cell_name(cell)}", record.proposal.kernel
        else:
            yield f"seed kernel {path.name}", Kernel(path.read_bytes().decode("utf-8", "surrogateescape"))
