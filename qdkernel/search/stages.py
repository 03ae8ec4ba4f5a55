"""Stages: which techniques a kernel may use, which it must, and when the next stage begins.

Our generalisation of Staged Quality-Diversity (Mikasa et al. 2026, arXiv 2602.12049). The published form varies the
permitted optimisation techniques step by step, but does not specify the stages or how they are enforced. Here a
technique is a level of one of the archive's axes, a stage ends by budget, stagnation or coverage (or is drawn for each
proposal), and it is enforced by the behavior measured from what was compiled.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from qdkernel.config import StageConfig, StageOrder, UntilConfig
from qdkernel.core import Cell, Stage
from qdkernel.errors import ConfigError
from qdkernel.search.state import StageState


def plan_of(stages: tuple[StageConfig, ...], order: StageOrder) -> StagePlan | None:
    """The stages of a configuration as a plan; ``None`` when there are none."""
    if not stages:
        return None
    return StagePlan(
        tuple(Stage(stage.name, _sets(stage.permits), _sets(stage.requires)) for stage in stages),
        order,
        tuple(stage.until for stage in stages),
    )


def _sets(levels: Mapping[str, tuple[str, ...]]) -> dict[str, frozenset[str]]:
    return {axis: frozenset(names) for axis, names in levels.items()}


@dataclass(frozen=True)
class StagePlan:
    """The stages of a run.

    Attributes:
        stages: at least one, names unique.
        order: ``advance`` from one to the next, or ``draw`` one for each proposal, all alike.
        until: when each stage ends, one per stage; ``None`` for never, as the last. Unused by ``draw``.
    """

    stages: tuple[Stage, ...]
    order: StageOrder = "advance"
    until: tuple[UntilConfig | None, ...] = ()

    def __post_init__(self) -> None:
        """Checks that the parts fit together."""
        names = [stage.name for stage in self.stages]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"expected one or more stages with different names, got {names}")
        if self.order == "advance" and len(self.until) != len(names):
            raise ValueError(f"expected an end for each of the {len(names)} stages, got {len(self.until)}")


@dataclass
class _Progress:
    evaluations: int = 0
    stagnation: int = 0


class StageSchedule:
    """Which stage it is.

    Args:
        plan: the stages; those without a cell that the machine can reach are skipped.
        reachable: the cells that this machine can reach.

    Raises:
        ConfigError: no stage has a reachable cell.
    """

    def __init__(self, plan: StagePlan, reachable: Collection[Cell]) -> None:
        self._order = plan.order
        self._cells = {stage.name: stage.cells(reachable) for stage in plan.stages}
        self._stages = [stage for stage in plan.stages if self._cells[stage.name]]
        self._until = [end for stage, end in zip(plan.stages, plan.until, strict=False) if self._cells[stage.name]]
        self._skipped = tuple(stage.name for stage in plan.stages if not self._cells[stage.name])
        if not self._stages:
            raise ConfigError(
                f"stages: expected a stage that this machine can reach, got {', '.join(self._skipped)}, which ask "
                "for SIMD widths it does not have; `qdkernel doctor` lists those it has"
            )
        self._at = 0
        self._progress = _Progress()

    @property
    def advancing(self) -> bool:
        """Whether one stage follows another; otherwise they are drawn."""
        return self._order == "advance"

    @property
    def skipped(self) -> tuple[str, ...]:
        """Names of the stages that this machine cannot reach."""
        return self._skipped

    def stage(self, name: str) -> Stage | None:
        """The stage of that name; ``None`` when there is none, e.g. since the configuration was changed."""
        return next((stage for stage in self._stages if stage.name == name), None)

    def cells(self, stage: Stage) -> frozenset[Cell]:
        """The reachable cells of a stage."""
        return self._cells[stage.name]

    def current(self, rng: np.random.Generator) -> Stage:
        """The stage of the next proposal; ``rng`` is used only when stages are drawn."""
        return self._stages[int(rng.integers(len(self._stages))) if self._order == "draw" else self._at]

    def record(self, stage_name: str, placed: bool, filled: Collection[Cell]) -> Stage | None:
        """Counts an evaluation and returns the stage that begins with it, if one does.

        A stage whose cells are covered already is passed by at once.

        Args:
            stage_name: the stage of the proposal; one that is over counts no more.
            placed: whether it is a new or improved elite.
            filled: the cells of the archive that are filled now.
        """
        if self._order == "draw" or stage_name != self._stages[self._at].name:
            return None
        self._progress.evaluations += 1
        self._progress.stagnation = 0 if placed else self._progress.stagnation + 1
        before = self._at
        while self._at + 1 < len(self._stages) and self._over(filled):
            self._at, self._progress = self._at + 1, _Progress()
        return self._stages[self._at] if self._at > before else None

    def state(self) -> StageState:
        """The current stage by name and what was counted in it."""
        return StageState(
            stage=self._stages[self._at].name,
            evaluations=self._progress.evaluations,
            stagnation=self._progress.stagnation,
        )

    def restore(self, state: StageState) -> None:
        """The inverse of ``state``; when its stage is no longer planned, the schedule stays at the first."""
        names = [stage.name for stage in self._stages]
        if state.stage in names:
            self._at = names.index(state.stage)
            self._progress = _Progress(state.evaluations, state.stagnation)

    def _over(self, filled: Collection[Cell]) -> bool:
        cells = self._cells[self._stages[self._at].name]
        coverage = len(cells.intersection(filled)) / len(cells)
        until = self._until[self._at]
        return until is not None and until.ended(self._progress.evaluations, self._progress.stagnation, coverage)
