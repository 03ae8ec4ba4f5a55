"""Makes the briefs of all operators, built-in and models', from the history and the choices of policy and stages."""

from __future__ import annotations

from functools import cache, cached_property

import numpy as np

from qdkernel.core import Cell, Kernel, Problem, Stage, Threading
from qdkernel.mutators import Brief, Elite, ReferenceSpeeds
from qdkernel.runs import MachineFacts
from qdkernel.search.credit import PlayLedger
from qdkernel.search.environment import RunEnvironment
from qdkernel.search.history import SearchHistory
from qdkernel.search.policies import Choice, SelectionPolicy, Situation
from qdkernel.search.stages import StageSchedule


class BriefFactory:
    """Makes briefs.

    Args:
        environment: the configuration on this machine.
        history: of the run.
        policy: chooses parents and targets.
        plays: give the parents' factors.
        stages: the schedule of stages; ``None`` without stages.
        rng: of all proposals.
    """

    def __init__(
        self,
        environment: RunEnvironment,
        history: SearchHistory,
        policy: SelectionPolicy,
        plays: PlayLedger,
        stages: StageSchedule | None,
        rng: np.random.Generator,
    ) -> None:
        self._environment = environment
        self._history = history
        self._policy = policy
        self._plays = plays
        self._stages = stages
        self._rng = rng
        self._ceiling = cache(self._share_of_peak)  # asked for with every proposal, for many cells

    def brief(self) -> Brief:
        """For one proposal: stage, parent and target are chosen."""
        stage = self._stages.current(self._rng) if self._stages else None
        situation = Situation(self._history.elites, self._permitted(stage), self._plays.parent_factor, self._ceiling)
        return self._make(self._policy.choose(situation, self._rng), stage)

    def brief_on(self, parent: Elite | None, stage: str, target: Cell | None = None) -> Brief:
        """For a parent and target that are given, in the stage of this name; empty for no stage."""
        return self._make(Choice(parent, target), self._stages.stage(stage) if self._stages else None)

    def _make(self, choice: Choice, stage: Stage | None) -> Brief:
        environment, history, shown = self._environment, self._history, self._policy.shows_history
        source = choice.parent.kernel.source if choice.parent else ""
        aimed = choice.target or (choice.parent.cell if choice.parent else None)
        return Brief(
            problem=environment.problem,
            machine=environment.machine,
            threads=environment.timing.threads,
            sizes=environment.timing.sizes,
            elites=history.elites if shown else {},
            parent=choice.parent,
            target=choice.target,
            stage=stage.name if stage else "",
            permitted=self._permitted(stage),
            reference_speeds=self._reference_speeds,
            recent_failures=history.recent_failures if shown else (),
            sweep=history.sweep_of(source) if shown else None,
            lessons=history.lessons if shown else "",
            attempts=history.attempts_at(aimed) if shown else (),
            last_plan=history.last_plan if shown else (),
            prompt_tokens=environment.config.llm.prompt_tokens,
        )

    def _permitted(self, stage: Stage | None) -> frozenset[Cell] | None:
        return self._stages.cells(stage) if self._stages and stage else None

    def _share_of_peak(self, cell: Cell) -> float:
        """A cell's peak as a share of the machine's; 0 for a threaded cell when one thread is scored.

        Where memory is the limit, SIMD levels below the widest reach it too: the share is 1.
        """
        threads, speeds = self._environment.timing.threads, self._reference_speeds
        if threads == 1 and cell.threading != Threading.SERIAL:
            return 0.0
        if self._environment.problem.bandwidth_bound or speeds.peak_gflops <= 0:
            return 1.0
        return speeds.ceiling_gflops(cell, threads) / speeds.peak_gflops

    @cached_property
    def _reference_speeds(self) -> ReferenceSpeeds:
        return reference_speeds(self._environment)


def reference_speeds(environment: RunEnvironment) -> ReferenceSpeeds:
    """What speeds are compared with on this machine."""
    timing = environment.timing
    levels = ("scalar", *map(str, environment.machine.simd_widths))
    dtype, peaks = environment.problem.dtype.name, environment.peaks
    return ReferenceSpeeds(
        baseline=environment.baseline,
        baseline_gflops=timing.baseline_gflops,
        peak_gflops=peaks.peak_gflops(dtype, timing.threads),
        peaks={level: peaks.peak_gflops(dtype, timing.threads, level) for level in levels},
        triad_gbytes_per_s=timing.triad_gbytes_per_s,
        compiler=f"{environment.toolchain.version}, {' '.join(environment.toolchain.flags)}",
        core=environment.core,
    )


def recorded_reference_speeds(facts: MachineFacts) -> ReferenceSpeeds:
    """What speeds were compared with on the machine of a recorded run."""
    return ReferenceSpeeds(
        baseline=facts.baseline_name,
        baseline_gflops=tuple(speed.gflops for speed in facts.baseline),
        peak_gflops=facts.peak_gflops or 0.0,
        peaks=dict(sorted(facts.peaks.items(), key=lambda item: item[1])),
        triad_gbytes_per_s=facts.triad_gbytes_per_s or 0.0,
        compiler=f"{facts.compiler.get('version') or ''} {' '.join(facts.flags)}".strip(),
    )


def naive_elite(problem: Problem) -> Elite:
    """The problem's first seed, not timed: the parent where there is no elite."""
    source = problem.seed_source(problem.seeds[0])
    return Elite(Kernel(source), Cell(0, 0, 0, 0), 0.0, "seed", "the naive seed kernel", {})
