"""Pictures of a comparison, for the templates."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from qdkernel.core import AXES, reachable_cells
from qdkernel.web.pictures import (
    DIVERGING,
    Band,
    Chart,
    Line,
    Tile,
    draw_archive,
    draw_chart,
    element,
    picture,
    text,
)
from qdkernel.web.view import CellDifference, ComparisonView, GroupCurve
from qdkernel.web.wording import short

_FULL = 2.0  # the ratio at which the scale ends; heuristic: more than twice as fast needs no finer scale
_MIDDLE = len(DIVERGING) // 2


def difference_map(view: ComparisonView) -> Markup:
    """The archive colored by which run is faster; pale hatching where the difference is not significant."""
    known = {cell.cell: cell for cell in view.cells}
    widths = [int(level) for level in AXES[1].levels if level.isdigit()]
    unreachable = set(view.unreachable)
    names = [group.letter for group in view.groups]
    tiles = {}
    for cell in reachable_cells(widths):
        if cell in known:
            tiles[cell] = _tile(known[cell], view.unit, names)
        else:
            state = "unreachable" if cell in unreachable else "empty"
            tiles[cell] = Tile(state, "", "empty in both" if state == "empty" else "out of reach")
    unsure = [cell.cell for cell in view.cells if cell.ratio is not None and not cell.significant]
    faster = [sum(1 for c in view.cells if c.significant and (c.ratio or 0) < 1)]
    faster.append(sum(1 for c in view.cells if c.significant and (c.ratio or 0) > 1))
    label = f"{names[0]} is significantly faster in {faster[0]} cells, {names[1]} in {faster[1]}."
    return draw_archive(tiles, label, unsure)


def _tile(cell: CellDifference, unit: str, names: Sequence[str]) -> Tile:
    speeds = ", ".join(
        f"{name} {'empty' if speed is None else f'{speed:.3g} {unit}'}"
        for name, speed in zip(names, (cell.first, cell.second), strict=False)
    )
    ratio = cell.ratio
    if ratio is None:
        at, label = (0, f"{names[0]} only") if cell.first else (len(DIVERGING) - 1, f"{names[1]} only")
        return Tile(f"diff d{at}", label[:1], f"{cell.name}: {speeds}")
    share = max(-1.0, min(1.0, math.log(ratio) / math.log(_FULL)))
    verdict = "" if cell.significant else "; not significant"
    words = f"{cell.name}: {speeds}; {names[1]} / {names[0]} = {ratio:.3f}{verdict}"
    return Tile(f"diff d{round(_MIDDLE + share * _MIDDLE)}", f"{ratio:.2f}", words)


def difference_bar(view: ComparisonView) -> Markup:
    """The scale of the map."""
    count, first, second = len(DIVERGING), view.groups[0].letter, view.groups[1].letter
    tiles = [
        element("g", element("rect", x=at * 220 / count, y=0, width=220 / count + 0.5, height=12), class_=f"d{at}")
        for at in range(count)
    ]
    ends = [
        text(0, 27, f"{first} twice"),
        text(110, 27, "equal", text_anchor="middle"),
        text(220, 27, f"{second} twice", text_anchor="end"),
    ]
    return picture(220, 30, f"Colors from {first} to {second}.", *tiles, *ends, class_="color-bar wide-bar")


def group_chart(curves: Sequence[GroupCurve], view: ComparisonView, name: str) -> Markup:
    """A line for each group with its interval, thin ones for its seeds."""
    lines, bands = [], []
    for at, curve in enumerate(curves):
        look = f"s{at % 6}"
        if len(curve.seeds) > 1:
            lines += [Line(seed.points, f"{look} seed") for seed in curve.seeds]
            bands.append(Band(curve.low, curve.high, f"b{at % 6}"))
        lines.append(Line(curve.mean, f"{look} mean"))
    ends = ", ".join(f"{curve.letter} {short(curve.mean[-1][1])}" for curve in curves if curve.mean)
    label = f"{name} at equal cost; at the end {ends}."
    return draw_chart(Chart(label, "evaluations", name, lines, (), bands, (), view.common))
