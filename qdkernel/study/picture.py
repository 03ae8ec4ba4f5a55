"""A study as a picture: how often each way of asking gave a correct kernel, and how fast the best one was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from qdkernel.plots import style
from qdkernel.study.estimates import pass_interval
from qdkernel.study.table import ALL, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKERS = "osD^vP"
_ROOM = 0.7  # of a routine's line, for its ways and models


def draw(rows: Sequence[Row], passing: Axes, speed: Axes) -> None:
    """Draws the rows of single routines, a line for each routine.

    Args:
        rows: of a study.
        passing: gets pass@1 with its interval; a color for each way, a marker for each model.
        speed: gets the best speed relative to the baseline, on a logarithmic scale.
    """
    single = [row for row in rows if row.problem != ALL]
    problems = list(dict.fromkeys(row.problem for row in single))
    ways = list(dict.fromkeys(row.way for row in single))
    models = list(dict.fromkeys(row.model for row in single))
    for row in single:
        way, model = ways.index(row.way), models.index(row.model)
        place = (model * len(ways) + way + 0.5) / (len(ways) * len(models)) - 0.5
        height = problems.index(row.problem) + _ROOM * place
        look: dict[str, Any] = {"color": style.LEVELS[way], "marker": _MARKERS[model % len(_MARKERS)], "markersize": 5}
        share = row.correct / row.samples
        low, high = pass_interval(row.samples, row.correct, 1)
        passing.plot([low, high], [height] * 2, color=style.LEVELS[way], linewidth=1.2)
        passing.plot([share], [height], linestyle="none", **look)
        if row.best is not None:
            speed.plot([row.best], [height], linestyle="none", **look)
    for number, name in enumerate(models):
        for at, asked in enumerate(ways):
            label = asked if len(models) == 1 else f"{asked}, {name}"
            marker = _MARKERS[number % len(_MARKERS)]
            passing.plot([], [], color=style.LEVELS[at], marker=marker, linestyle="none", label=label)
    for axes in (passing, speed):
        axes.set_yticks(range(len(problems)), problems)
        axes.set_ylim(len(problems) - 0.5, -0.5)
        axes.grid(axis="x", color=style.EMPTY_EDGE, linewidth=0.6)
    passing.set(xlabel="pass@1, 95 % interval", xlim=(-0.03, 1.03))
    speed.set_xlabel("best speed relative to the baseline")
    style.ratio_axis(speed, [row.best for row in single if row.best is not None])
    passing.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(ways))
