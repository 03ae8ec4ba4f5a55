"""The roofline: what the machine allows at each arithmetic intensity, and where the elites are.

Williams, Waterman and Patterson, CACM 52(4), 2009. Peaks are measured; intensity uses the problem's convention for
the bytes a call streams, so a kernel that keeps its data in the caches may stand above the sloped line.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qdkernel.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE_MARKERS = "osD^vP*X"
_DODGE = 1.08  # between groups; a marker's width on a picture of three decades


@dataclass(frozen=True)
class Point:
    """A kernel at one scored size.

    Attributes:
        intensity: floating-point operations per byte streamed.
        gflops: speed.
        size: what the size is called, e.g. ``m=512 n=512 k=512``.
        group: what the color shows, e.g. the SIMD level.
    """

    intensity: float
    gflops: float
    size: str
    group: str


def draw_roofline(
    ax: Axes,
    points: Sequence[Point],
    groups: Sequence[str],
    peaks: Mapping[str, float],
    triad_gbytes_per_s: float | None = None,
    baseline: Sequence[Point] = (),
    baseline_name: str = "baseline",
    best: Sequence[Point] = (),
    group_name: str = "SIMD",
) -> None:
    """Draws peaks as lines and kernels as points, both axes logarithmic.

    Colour is the group, the marker's shape the size, red rings the best elite, crosses the baseline. All kernels share
    the intensity of their size, so a size's groups stand side by side around it, where the cross marks the true place.

    Args:
        ax: 8 x 6 inches fit, with 3 inches free to its right for the legend.
        points: every elite at every scored size.
        groups: all groups in their order, so that a group's color is the same in every picture.
        peaks: GFLOP/s of each peak by name.
        triad_gbytes_per_s: slope of the memory-bound part; ``None`` when not known.
        baseline: the baseline at the scored sizes.
        baseline_name: for the legend.
        best: the best elite at the scored sizes.
        group_name: what the groups are, for the legend.
    """
    color = dict(zip(groups, style.LEVELS, strict=False))
    sizes = list(dict.fromkeys(point.size for point in [*points, *baseline]))
    marker = {size: _SIZE_MARKERS[number % len(_SIZE_MARKERS)] for number, size in enumerate(sizes)}
    ax.set_xscale("log")
    ax.set_yscale("log")
    left, right, bottom, top = _limits([*points, *baseline], peaks, triad_gbytes_per_s)
    ax.set_xlim(left, right)
    ax.set_ylim(bottom, top)
    _draw_peaks(ax, peaks, triad_gbytes_per_s)
    for point in points:
        _draw_kernel(ax, point, groups, marker[point.size], color.get(point.group, style.INK))
    for point in baseline:
        ax.plot(point.intensity, point.gflops, "x", color="black", markersize=10, markeredgewidth=2.2, zorder=4)
    for point in best:
        _draw_ring(ax, point, groups)
    used = [group for group in groups if any(point.group == group for point in points)]
    shown = {f"{group_name} {group}": ("o", color.get(group, style.INK)) for group in used}
    _draw_legend(ax, shown, marker, baseline_name if baseline else "", best)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter("{x:g}")  # 1, 10, 100 rather than powers of ten
    ax.set_xlabel(f"arithmetic intensity [flop/byte], {group_name} levels side by side")
    ax.set_ylabel("speed [GFLOP/s]")
    ax.grid(which="major", color="#ececec", linewidth=0.8)
    ax.set_axisbelow(True)


def _draw_kernel(ax: Axes, point: Point, groups: Sequence[str], marker: str, color: str) -> None:
    at = point.intensity * _dodge(point, groups)
    ax.plot(
        at, point.gflops, marker, color=color, markersize=7, markeredgecolor="white", markeredgewidth=0.6, alpha=0.85
    )


def _draw_ring(ax: Axes, point: Point, groups: Sequence[str]) -> None:
    at = point.intensity * _dodge(point, groups)
    looks: dict[str, Any] = {
        "fillstyle": "none",
        "color": style.BEST,
        "markersize": 14,
        "markeredgewidth": 2,
        "zorder": 5,
    }
    ax.plot(at, point.gflops, "o", **looks)


def _dodge(point: Point, groups: Sequence[str]) -> float:
    """Factor on the intensity that separates a point from those of other groups."""
    middle = (len(groups) - 1) / 2
    return float(_DODGE ** (groups.index(point.group) - middle)) if point.group in groups else 1.0


def _limits(
    points: Sequence[Point], peaks: Mapping[str, float], triad: float | None
) -> tuple[float, float, float, float]:
    """Left, right, bottom and top that show every point and the roof's corner."""
    peak = max(peaks.values(), default=0.0)
    corner = [peak / triad] if triad and peak else []
    across = [point.intensity for point in points] + corner or [1.0]
    up = [point.gflops for point in points] + [value for value in peaks.values() if value > 0] or [1.0]
    return min(across) / 6, max(across) * 6, min(up) / 2.5, max(up) * 2


def _told_apart(peaks: Mapping[str, float]) -> dict[str, float]:
    """The peaks with those that would lie on one another as one line: some CPUs run 512 bits as two times 256."""
    merged: list[tuple[list[str], float]] = []
    for name, peak in sorted(peaks.items(), key=lambda item: item[1]):
        if merged and peak < 1.05 * merged[-1][1]:
            merged[-1] = ([*merged[-1][0], name], peak)
        else:
            merged.append(([name], peak))
    return {", ".join(names): peak for names, peak in merged}


def _draw_peaks(ax: Axes, peaks: Mapping[str, float], triad: float | None) -> None:
    left, right = ax.get_xlim()
    for name, peak in _told_apart(peaks).items():
        start = max(left, peak / triad) if triad else left
        ax.plot([start, right], [peak, peak], color=style.INK, linewidth=1.4, zorder=1)
        ax.annotate(
            f"peak {name}: {peak:.3g} GFLOP/s",
            (right, peak),
            (-4, 3),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=10,
            color=style.INK,
        )
    if triad:
        corner = max(peaks.values(), default=right * triad) / triad
        ax.plot([left, corner], [left * triad, corner * triad], color=style.INK, linewidth=1.4, zorder=1)
        # written along the line, wherever the limits put it
        bottom = ax.get_ylim()[0]
        visible = max(left, bottom / triad)
        at = (visible * corner) ** 0.5
        ax.text(
            at,
            at * triad * 1.08,
            f"triad {triad:.3g} GB/s",
            rotation=math.degrees(math.atan(triad)),
            transform_rotates_text=True,
            rotation_mode="anchor",
            ha="center",
            va="bottom",
            fontsize=10,
            color=style.INK,
        )


def _draw_legend(
    ax: Axes, groups: Mapping[str, tuple[str, str]], markers: Mapping[str, str], baseline: str, best: Sequence[Point]
) -> None:
    from matplotlib.lines import Line2D

    def handle(label: str, marker: str, color: str, **looks: object) -> Line2D:
        return Line2D([], [], linestyle="", marker=marker, color=color, label=label, markersize=8, **looks)  # type: ignore[arg-type]  # looks are matplotlib's own names

    handles = [handle(label, marker, color) for label, (marker, color) in groups.items()]
    handles += [handle(size, marker, "#8a8a8a") for size, marker in markers.items() if len(markers) > 1]
    if baseline:
        handles.append(handle(baseline, "x", "black", markeredgewidth=2.2))
    if best:
        speeds = ", ".join(f"{point.gflops:.3g}" for point in best)
        handles.append(handle(f"best elite:\n{speeds} GFLOP/s", "o", style.BEST, fillstyle="none", markeredgewidth=2))
    else:
        handles.append(handle("no kernel holds a cell yet", "", "none"))
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0.0, labelspacing=0.7)
