"""The roofline: peaks as lines, elites as points (Williams, Waterman and Patterson, CACM 52(4), 2009)."""

from __future__ import annotations

import math
from collections.abc import Mapping

from markupsafe import Markup

from qdkernel.core import AXES
from qdkernel.web.pictures.svg import element, number, path, picture, text
from qdkernel.web.pictures.ticks import log_ticks
from qdkernel.web.view import Roofline, RooflinePoint
from qdkernel.web.wording import short

WIDTH, HEIGHT = 520.0, 360.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 54.0, 14.0, 14.0, 46.0
_DODGE = 9.0  # between SIMD levels of one size: they have one intensity, and would lie on one another

SIMD = next(axis for axis in AXES if axis.name == "simd")


class _Plane:
    """Both axes logarithmic."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float]) -> None:
        self.x, self.y = x, y

    def across(self, value: float) -> float:
        low, high = self.x
        return _LEFT + math.log(value / low) / math.log(high / low) * (WIDTH - _LEFT - _RIGHT)

    def up(self, value: float) -> float:
        low, high = self.y
        return HEIGHT - _BOTTOM - math.log(value / low) / math.log(high / low) * (HEIGHT - _TOP - _BOTTOM)


def draw_roofline(roofline: Roofline) -> Markup:
    """The picture; points of one size stand side by side by SIMD level, a cross marks the baseline."""
    plane = _plane(roofline)
    parts = _axes(plane) + _roof(roofline, plane)
    best = max((p.gflops for p in roofline.points), default=0.0)
    parts += [_point(point, plane, point.gflops == best) for point in roofline.points]
    for point in roofline.baseline:
        x, y = plane.across(point.intensity), plane.up(point.gflops)
        cross = f"M{number(x - 6)},{number(y - 6)}l12,12m-12,0l12,-12"
        title = element("title", f"baseline at {point.size}: {point.gflops:.1f} GFLOP/s")
        parts.append(element("g", title, element("path", d=cross, class_="baseline-cross")))
    label = f"Roofline with {len(roofline.points)} measurements of elites; the fastest is {best:.1f} GFLOP/s."
    return picture(WIDTH, HEIGHT, label, *parts, class_="chart roofline")


def _plane(roofline: Roofline) -> _Plane:
    peak = max(roofline.peaks.values(), default=0.0)
    triad = roofline.triad_gbytes_per_s
    every = [*roofline.points, *roofline.baseline]
    x = [point.intensity for point in every] + ([peak / triad] if triad and peak else []) or [1.0]
    y = [point.gflops for point in every] + [value for value in roofline.peaks.values() if value > 0] or [1.0]
    return _Plane(
        (min(x) / 4, max(x) * 12),  # the names of the peaks stand at the right
        (min(y) / 1.6, max(y) * 1.8),
    )


def _axes(plane: _Plane) -> list[Markup]:
    parts = []
    for tick in log_ticks(*plane.y):
        y = plane.up(tick)
        parts.append(element("path", d=f"M{number(_LEFT)},{number(y)}H{number(WIDTH - _RIGHT)}", class_="grid"))
        parts.append(text(_LEFT - 7, y + 4, short(tick), text_anchor="end"))
    for tick in log_ticks(*plane.x):
        parts.append(text(plane.across(tick), HEIGHT - _BOTTOM + 18, short(tick), text_anchor="middle"))
    middle = (HEIGHT - _BOTTOM + _TOP) / 2
    turned = f"rotate(-90 12 {number(middle)})"
    name = "arithmetic intensity [flop/byte]"
    parts.append(text((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 6, name, text_anchor="middle", class_="axis"))
    parts.append(text(12, middle, "GFLOP/s", text_anchor="middle", class_="axis", transform=turned))
    return parts


def _roof(roofline: Roofline, plane: _Plane) -> list[Markup]:
    parts: list[Markup] = []
    triad, (left, right) = roofline.triad_gbytes_per_s, plane.x
    for name, peak in _told_apart(roofline.peaks):
        start = max(left, peak / triad) if triad else left
        line = f"M{number(plane.across(start))},{number(plane.up(peak))}H{number(WIDTH - _RIGHT)}"
        parts.append(element("path", d=line, class_="level"))
        words = f"{name}: {peak:.3g} GFLOP/s"
        parts.append(text(WIDTH - _RIGHT - 2, plane.up(peak) - 5, words, text_anchor="end", class_="level-name"))
    top = max(roofline.peaks.values(), default=0.0)
    if triad and top:
        foot = max(left, plane.y[0] / triad)
        corner = min(right, top / triad)
        ends = [(plane.across(at), plane.up(at * triad)) for at in (foot, corner)]
        parts.append(path(ends, class_="level"))
        at = (foot * corner) ** 0.5
        words = f"triad {triad:.3g} GB/s"
        parts.append(text(plane.across(at) + 8, plane.up(at * triad) + 12, words, class_="level-name"))
    return parts


def _told_apart(peaks: Mapping[str, float]) -> list[tuple[str, float]]:
    """Peaks by name, ascending; those within 5 % as one, for their lines would lie on one another."""
    merged: list[tuple[list[str], float]] = []
    for name, peak in sorted(peaks.items(), key=lambda item: item[1]):
        words = f"{name} bit" if name.isdigit() else name
        if merged and peak < 1.05 * merged[-1][1]:
            merged[-1] = ([*merged[-1][0], words], peak)
        elif peak > 0:
            merged.append(([words], peak))
    return [(", ".join(names), peak) for names, peak in merged]


def _point(point: RooflinePoint, plane: _Plane, best: bool) -> Markup:
    x = plane.across(point.intensity) + (point.simd - 1.5) * _DODGE
    words = f"{SIMD.name} {SIMD.levels[point.simd]}, {point.size}: {point.gflops:.1f} GFLOP/s"
    look = f"simd{point.simd}" + (" best-dot" if best else "")
    circle = element("circle", element("title", words), cx=x, cy=plane.up(point.gflops), r=4.5, class_=look)
    return element("a", circle, href=f"#r{point.number}", tabindex=-1, aria_label=words)
