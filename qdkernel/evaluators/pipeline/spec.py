"""What it takes to evaluate the kernels of a run in any process of the host, as plain data."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from qdkernel.core import TIE_WIDTH, Duel, is_win
from qdkernel.evaluators.measurement import BaselineChoice, TimingRule
from qdkernel.evaluators.sandbox import Layers
from qdkernel.evaluators.toolchain import CompileLimits

_FIRST_QUIET_S = 2.0  # that a first estimate waits for quiet cores; elites are measured again, and wait longer
DUEL_RULE = TimingRule(
    rounds_min=6,
    rounds_max=16,
    half_width=0.005,
    budget_s=0.3,
    disturbed=math.inf,
    tie=TIE_WIDTH,
    decisive=1.3,
    most_s=0.1,
)
"""A duel decides which kernel holds a cell, so it may take longer than a first timing.

Six rounds won by chance have a probability of 1.6 %. A duel that stays uncertain is not won, so its uncertainty needs
no bound. Two undelayed rounds in both orders that differ by 30 % the same way decide at once."""


class RaceChecks(enum.StrEnum):
    """Which kernels that may take a cell, and have threads, are watched for races."""

    NEVER = "never"
    """None."""
    SUSPECTED = "suspected"
    """Those whose results in two passes with all threads differed in a bit."""
    ALWAYS = "always"
    """All of them, at some seconds each."""


@dataclass(frozen=True)
class CompileSpec:
    """How kernels are compiled.

    Attributes:
        command: compiler command.
        flags: the run's optimization flags; those of an instruction-set level included.
        limits: of one compilation.
    """

    command: str
    flags: tuple[str, ...]
    limits: CompileLimits = field(default_factory=CompileLimits)


@dataclass(frozen=True)
class RunSpec:
    """What a contained child may use.

    Attributes:
        memory_mb: address space in MiB beyond its mapped data.
        run_s: deadline of a block of calls, seconds.
        layers: what contains it.
    """

    memory_mb: int = 2048
    run_s: float = 10.0
    layers: Layers = Layers.ALL


@dataclass(frozen=True)
class TimingSpec:
    """How verified kernels are timed.

    Attributes:
        sizes: the scored sizes.
        threads: OpenMP threads.
        peak_gflops: measured peak at ``threads`` threads.
        triad_gbytes_per_s: measured STREAM triad at ``threads`` threads.
        llc_bytes: size of the last-level cache; traffic is bounded by triad only for data beyond it.
        simd_gflops: the most that code of each SIMD level can reach with ``threads`` threads, by level.
        clock_ghz: measured clock of one core; 0 when not measured.
        cache: the cache level that inputs are brought into before the clock starts, e.g. ``L2``; empty when they come
            from memory.
        cache_bytes: its size.
        baseline: the user's choice of baseline.
        baseline_gflops: the baseline's calibrated GFLOP/s per scored size; empty until calibrated.
        rule: how long a kernel is timed against the baseline.
        duel_rule: how long against the incumbent of its cell; its ``tie`` is where a duel counts as decided.
        drop_ratio: a slow kernel this many times slower than the incumbent is dropped after its first call.
        first_rounds: rounds of a first estimate, at least; the full rule is for kernels that win a duel and for
            remeasurements. ``None``: the full rule for all.
        patience: a call at a scored size is stopped after this many times the baseline's time, and half a second at
            least.
    """

    sizes: tuple[Mapping[str, int], ...]
    threads: int
    peak_gflops: float
    triad_gbytes_per_s: float
    llc_bytes: int
    simd_gflops: Mapping[str, float] = field(default_factory=dict)
    clock_ghz: float = 0.0
    cache: str = ""
    cache_bytes: int = 0
    baseline: BaselineChoice = field(default_factory=BaselineChoice)
    baseline_gflops: tuple[float, ...] = ()
    rule: TimingRule = field(default_factory=TimingRule)
    duel_rule: TimingRule = DUEL_RULE
    drop_ratio: float = 1.5
    first_rounds: int | None = 2
    patience: float = 10.0

    @property
    def first_rule(self) -> TimingRule:
        """How long a kernel is timed at first: in a search only long enough to decide whether it is worth a duel."""
        if self.first_rounds is None:
            return self.rule
        quiet_s = min(_FIRST_QUIET_S, self.rule.quiet_s)
        return replace(self.rule, rounds_min=self.first_rounds, rounds_max=self.first_rounds, quiet_s=quiet_s)

    def is_won(self, duel: Duel) -> bool:
        """Whether the challenger takes the cell."""
        return is_win(duel, self.duel_rule.tie or 0.0)

    def for_every_kernel(self) -> TimingSpec:
        """The same with every kernel timed by the full rule, however slow: for kernels that a user asks about."""
        return replace(self, first_rounds=None, drop_ratio=math.inf, patience=math.inf)


@dataclass(frozen=True)
class EvaluationSpec:
    """Everything needed to evaluate the kernels of a run.

    Attributes:
        problem: its name, or the path of its folder.
        scratch: the run's scratch folder (see ``SharedScratch``).
        compile: how kernels are compiled.
        run: what a contained child may use.
        timing: how kernels are timed; ``None`` where they are only verified.
        accuracy: the rule by which results are judged (see ``find_problem``).
        isa: the instruction-set level, for the object policy and the baseline; ``None`` for the machine's own.
        races: which kernels are watched for races.
        explain: whether the hot loop of a kernel that takes a cell is explained beyond its counts (0.2 to 1.2 s): for
            models and people who read it.
        thorough: whether a kernel that ended ``ok`` is also called far beyond the scored sizes, which takes seconds.
        host_scratch: of this host, where ``scratch`` is shared with other hosts.
    """

    problem: str
    scratch: str
    compile: CompileSpec
    run: RunSpec = field(default_factory=RunSpec)
    timing: TimingSpec | None = None
    accuracy: str = "componentwise"
    isa: str | None = None
    races: RaceChecks = RaceChecks.SUSPECTED
    explain: bool = False
    thorough: bool = False
    host_scratch: str | None = None
