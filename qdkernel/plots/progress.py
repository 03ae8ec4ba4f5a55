"""A run over its evaluations: speed above, how much of the archive is filled below."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qdkernel.core import Cell
from qdkernel.plots import style
from qdkernel.runs import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_BEST_COLOUR, _CELLS_COLOUR, _SCORE_COLOUR = "#31688e", "#21918c", "#c26a00"


@dataclass(frozen=True)
class Progress:
    """One value per evaluation, in the order of their commit.

    Attributes:
        objective: of the evaluation; NaN unless it ended ``ok``.
        best: largest objective that took a cell so far; NaN before the first.
        filled: cells filled so far.
        qd_score: sum of the elites' objectives so far.
    """

    objective: tuple[float, ...] = ()
    best: tuple[float, ...] = ()
    filled: tuple[int, ...] = ()
    qd_score: tuple[float, ...] = ()


def progress_of(records: Iterable[Record]) -> Progress:
    """Progress over evaluations, from a run's log."""
    held: dict[Cell, float] = {}
    rows = []
    for record in records:
        cell, objective = record.evaluation.cell, record.evaluation.objective
        if record.placed and cell is not None and objective is not None:
            held[cell] = objective
        best = max(held.values(), default=math.nan)
        rows.append((math.nan if objective is None else objective, best, len(held), sum(held.values())))
    return Progress(*zip(*rows, strict=True)) if rows else Progress()


def draw_progress(
    figure: Figure,
    progress: Progress,
    reachable: int,
    baseline: tuple[str, float] | None = None,
    peak: float | None = None,
    unit: str = "GFLOP/s",
    title: str = "",
) -> None:
    """Draws the two panels on an empty figure.

    Above: every correct kernel as a point, the best elite as a line, baseline and peak as horizontal lines. Below:
    cells filled (left axis) and QD score, the sum of all elites' objectives (right axis).

    Args:
        figure: drawn on whole; 11 x 7.5 inches fit.
        progress: one value per evaluation.
        reachable: how many cells the machine can fill.
        baseline: its name and objective.
        peak: the machine's measured peak in the objective's unit.
        unit: of the objective.
        title: above the picture; lines after the first are smaller.
    """
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(1.5, 1))
    figure.subplots_adjust(left=0.085, right=0.905, bottom=0.085, top=0.89, hspace=0.12)
    numbers = range(1, len(progress.best) + 1)
    above.plot(numbers, progress.objective, ".", color="#a9a9a9", markersize=5, label="a correct kernel")
    above.plot(
        numbers,
        progress.best,
        color=_BEST_COLOUR,
        linewidth=2.5,
        drawstyle="steps-post",
        marker=_marker(progress),
        label="best elite",
    )
    for name, value, line in [(*(baseline or ("", None)), "--"), ("measured peak", peak, "-")]:
        if value is not None:
            above.axhline(value, color=style.INK, linewidth=1.3, linestyle=line, label=f"{name}: {value:.3g} {unit}")
    above.set_ylabel(f"objective [{unit}]")
    above.set_ylim(bottom=0)
    above.set_ylim(top=1.2 * above.get_ylim()[1])  # room for the legend above the highest line
    above.legend(loc="upper left", ncols=4, fontsize=10, columnspacing=1.4, handlelength=1.6)
    _draw_archive_growth(below, progress, reachable, unit)
    below.set_xlim(0.5, max(2, len(numbers)) + 0.5)
    below.locator_params(axis="x", integer=True)
    below.set_xlabel("evaluations")
    style.write_title(figure, title)


def _draw_archive_growth(ax: Axes, progress: Progress, reachable: int, unit: str) -> None:
    numbers = range(1, len(progress.filled) + 1)
    [filled] = ax.plot(numbers, progress.filled, color=_CELLS_COLOUR, linewidth=2.5, marker=_marker(progress))
    ax.set_ylabel(f"cells filled (of {reachable})", color=_CELLS_COLOUR)
    ax.locator_params(axis="y", integer=True)
    ax.set_ylim(0, 1.2 * max([*progress.filled, 1]))
    score_ax = ax.twinx()
    score_ax.spines["right"].set_visible(True)
    [score] = score_ax.plot(
        numbers, progress.qd_score, color=_SCORE_COLOUR, linewidth=2.5, linestyle="-.", marker=_marker(progress)
    )
    score_ax.set_ylabel(f"QD score [{unit}]", color=_SCORE_COLOUR)
    score_ax.set_ylim(0, 1.2 * max([*progress.qd_score, 1.0]))
    ax.legend([filled, score], ["cells filled", "QD score (sum of the elites' objectives)"], loc="upper left", ncols=2)


def _marker(progress: Progress) -> str:
    return "o" if len(progress.best) == 1 else ""  # one point makes no line
