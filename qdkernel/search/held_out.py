"""Held-out sizes: the best elites, timed once at sizes that were never scored, show wins that do not carry over."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from qdkernel.backends import Backend
from qdkernel.core import Cell, Evaluation, Outcome, RunStatus
from qdkernel.evaluators.pipeline import EvaluationContext, EvaluationSpec, EvaluationTask
from qdkernel.runs import EventKind, RunFolder
from qdkernel.search.archive_fold import ArchiveFold

_LEAST, _MOST = 0.5, 1.25  # of a scored extent: the same regime of the caches, and no more memory than twice
_ELITES = 5  # the fastest, which a user would take


def draw_sizes(scored: Sequence[Mapping[str, int]], number: int, seed: int) -> tuple[Mapping[str, int], ...]:
    """Sizes around the scored ones, none of them scored.

    Args:
        scored: the scored sizes.
        number: how many to draw around each; extents of 1 leave fewer.
        seed: of the run.
    """
    rng = np.random.default_rng([seed, 0])  # not the search's own stream
    drawn: list[Mapping[str, int]] = []
    for size in scored:
        for _ in range(number):
            other = {name: max(1, round(extent * rng.uniform(_LEAST, _MOST))) for name, extent in size.items()}
            if other not in (*scored, *drawn):
                drawn.append(other)
    return tuple(drawn)


def held_out_spec(spec: EvaluationSpec, sizes: tuple[Mapping[str, int], ...]) -> EvaluationSpec:
    """The spec with other sizes, at which the baseline is not calibrated yet."""
    assert spec.timing is not None
    return replace(spec, timing=replace(spec.timing, sizes=sizes, baseline_gflops=()))


def calibrated(spec: EvaluationSpec) -> EvaluationSpec:
    """The spec with the baseline's speeds on this machine."""
    assert spec.timing is not None
    context = EvaluationContext(spec)
    try:
        speeds = context.timer.calibrate()
    finally:
        context.close()
    return replace(spec, timing=replace(spec.timing, baseline_gflops=speeds))


def time_held_out(
    backend: Backend[EvaluationTask, Evaluation],
    spec: EvaluationSpec,
    folder: RunFolder,
    fold: ArchiveFold,
    status: RunStatus,
    show: Callable[[RunStatus], None],
    stopping: Callable[[], bool],
) -> None:
    """Times the fastest elites at the sizes of ``spec``; a wrong result there costs the cell.

    Args:
        backend: runs the measurements.
        spec: from ``held_out_spec``; calibrated where the backend is this machine, and by the nodes of a cluster
            themselves.
        folder: of the run.
        fold: contains the elites.
        status: its news are kept up to date.
        show: given the status after every measurement.
        stopping: whether the run is to end.
    """
    fastest = heapq.nlargest(_ELITES, fold.held.items(), key=lambda item: item[1].objective)
    cells = {held.record: cell for cell, held in fastest if not held.bound}
    waiting = list(cells)
    while (waiting and not stopping()) or backend.pending:
        while waiting and not stopping() and backend.pending < backend.capacity:
            record = waiting.pop(0)
            kernel = fold.held[cells[record]].proposal.kernel
            backend.submit(record, EvaluationTask(spec, kernel, again=True))
        for done in backend.completed():
            if done.result is not None:
                _take_in(folder, fold, done.number, done.result, cells)
            status.news = f"the best are timed at held-out sizes: {len(cells) - len(waiting)} of {len(cells)}"
            show(status)


def _take_in(
    folder: RunFolder, fold: ArchiveFold, record: int, evaluation: Evaluation, cells: Mapping[int, Cell]
) -> None:
    if evaluation.score:
        folder.evaluations.add_held_out(record, evaluation)
    elif evaluation.outcome in (Outcome.WRONG, Outcome.CRASHED):
        fold.retract(cells[record], evaluation)
    elif evaluation.outcome is not Outcome.LOST:
        text = f"at held-out sizes kernel {evaluation.kernel_id[:12]} ended {evaluation.outcome}: {evaluation.detail}"
        folder.events.add(EventKind.REMEASURE, text)
