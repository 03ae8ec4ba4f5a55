"""The best elite of several problems against the baseline of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from qdkernel.analysis import Best
from qdkernel.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_against_baseline(best: Mapping[str, Best], axes: Axes) -> None:
    """Draws a line for each problem: speed relative to the baseline with its interval, on a logarithmic scale.

    Args:
        best: of each problem, at least one.
        axes: to draw on; right of 1 the elite is faster.
    """
    for at, each in enumerate(best.values()):
        ratio = each.ratio
        color = style.LEVELS[2] if ratio.median >= 1 else style.BEST
        axes.plot([1, ratio.median], [at, at], color=color, linewidth=4, alpha=0.35, solid_capstyle="butt")
        sides = [[max(0.0, ratio.median - ratio.low)], [max(0.0, ratio.high - ratio.median)]]
        axes.errorbar([ratio.median], [at], xerr=sides, fmt="o", color=color, markersize=5, linewidth=1.4)
    axes.set_yticks(range(len(best)), list(best))
    axes.set_ylim(len(best) - 0.5, -0.5)
    axes.set_xlabel("speed of the best elite relative to the baseline, 95 % interval")
    style.ratio_axis(axes, [end for each in best.values() for end in (each.ratio.low, each.ratio.high)])
    axes.grid(axis="x", color=style.EMPTY_EDGE, linewidth=0.6)
