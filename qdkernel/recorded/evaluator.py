"""Evaluations taken from a recording instead of being measured: the same kernel always has the same objective."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qdkernel.core import (
    Behaviour,
    Cell,
    Duel,
    Evaluation,
    KernelId,
    Measured,
    Outcome,
    Timing,
    worth_a_duel,
)
from qdkernel.evaluators.pipeline import EvaluationTask, SharedScratch


@dataclass(frozen=True)
class RecordedKernel:
    """What is known of a kernel: the cell that its genome aims at, and its timing at the recorded size."""

    cell: Cell
    timing: Timing


@dataclass(frozen=True)
class RecordedEvaluator:
    """Evaluates the kernels of a recording, and no others; a duel is decided by the recorded objectives.

    Attributes:
        kernels: the recorded kernels.
    """

    kernels: Mapping[KernelId, RecordedKernel]

    def __call__(self, task: EvaluationTask) -> Evaluation:
        """The evaluation of a task; ``lost`` for a kernel that was not recorded."""
        kernel_id = task.kernel.id
        known = self.kernels.get(kernel_id)
        if known is None:
            return Evaluation(kernel_id, Outcome.LOST, "this kernel was not recorded")
        behaviour = Behaviour(known.cell)
        if task.accept and (refusal := task.accept(known.cell, behaviour.evidence)):
            return Evaluation(kernel_id, Outcome.OUTSIDE_STAGE, refusal, behaviour)
        duel = None if task.again else self._duel(task, known)
        measured = Measured(known.timing.gflops, (known.timing,), duel)
        return Evaluation(kernel_id, Outcome.OK, behaviour=behaviour, measured=measured)

    def _duel(self, task: EvaluationTask, known: RecordedKernel) -> Duel | None:
        incumbent = SharedScratch(Path(task.spec.scratch)).incumbent(known.cell)
        if incumbent is None or incumbent.kernel_id == task.kernel.id:
            return None
        if not worth_a_duel(known.timing.gflops, (known.timing,), incumbent.objective):
            return None
        ratio = known.timing.gflops / incumbent.objective
        return Duel(incumbent.kernel_id, ratio, ratio, ratio)
