"""Pictures of a run's view, and the numbers in its tables, for the templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from markupsafe import Markup

from qdkernel.analysis import speed_text
from qdkernel.web.page.comparison_panels import difference_bar, difference_map, group_chart
from qdkernel.web.pictures import (
    VIRIDIS,
    Band,
    Chart,
    Level,
    Line,
    Tile,
    draw_archive,
    draw_chart,
    draw_roofline,
    draw_shares,
    draw_timeline,
    element,
    level,
    picture,
    text,
)
from qdkernel.web.view import CellView, CostCurve, RunView
from qdkernel.web.wording import duration, short

_WITHOUT_ELITE = {
    "empty": "empty",
    "unreachable": "out of this machine's reach",
    "retracted": "empty: its elite failed when timed again",
}
UNITS = {"evaluations": "evaluations", "minutes": "minutes active", "tokens": "tokens", "usd": "US dollars"}


def archive_picture(view: RunView) -> Markup:
    """The archive, colored by GFLOP/s from 0 to the fastest elite's."""
    top = max((cell.gflops or 0.0 for cell in view.cells), default=0.0)
    tiles = {cell.cell: _tile(cell, top) for cell in view.cells}
    filled = len(view.ranked)
    best = f"; the fastest is {top:.1f} GFLOP/s in {view.ranked[0].name}" if view.ranked else ""
    return draw_archive(tiles, f"The archive: {filled} of {view.num_reachable} reachable cells filled{best}.")


def _tile(cell: CellView, top: float) -> Tile:
    if cell.gflops is None:
        label = "×" if cell.state == "retracted" else ""
        return Tile(cell.state, label, f"{cell.name}: {_WITHOUT_ELITE[cell.state]}")
    ratio = f", {cell.ratio:.3f} [{cell.low:.3f}, {cell.high:.3f}] of baseline" if cell.ratio is not None else ""
    words = f"{cell.name}: {cell.gflops:.1f} GFLOP/s{ratio}"
    return Tile(f"v{level(cell.gflops, top)}", speed_text(cell.gflops), words, cell.number, cell.gflops == top)


def replay_data(view: RunView) -> dict[str, Any]:  # Any: JSON
    """What the replay and the switch between GFLOP/s and ratio need, in the archive's colors."""
    top = max((step.gflops for step in view.steps), default=0.0)
    top_ratio = max((step.ratio or 0.0 for step in view.steps), default=0.0)
    steps = [
        [
            step.number,
            round(step.elapsed_s, 1),
            "-".join(map(str, step.cell)),
            level(step.gflops, top),
            speed_text(step.gflops),
            level(step.ratio or 0.0, top_ratio),
            f"{step.ratio:.2f}" if step.ratio is not None else "",
        ]
        for step in view.steps
    ]
    return {
        "steps": steps,
        "evaluations": view.evaluations,
        "gflops": round(top, 1),
        "ratio": round(top_ratio, 2),
        "peak": view.peak_gflops,
    }


def color_bar(view: RunView) -> Markup:
    """The archive's colors from 0 to the fastest elite's speed."""
    top = max((cell.gflops or 0.0 for cell in view.cells), default=0.0)
    steps = len(VIRIDIS)
    tiles = [
        element("g", element("rect", x=at * 220 / steps, y=0, width=220 / steps + 0.5, height=12), class_=f"v{at}")
        for at in range(steps)
    ]
    ends = [text(0, 27, "0"), text(220, 27, f"{top:.3g} GFLOP/s", text_anchor="end", class_="bar-top")]
    return picture(220, 30, f"Colors from 0 to {top:.3g} GFLOP/s.", *tiles, *ends, class_="color-bar")


def speed_chart(view: RunView, curve: CostCurve) -> Markup:
    """Single kernels as dots, the best elite and each operator's best kernel as lines."""
    lines = [Line(line.points, f"s{at}") for at, line in enumerate(curve.operators)]
    levels = []
    if view.baseline_gflops:
        levels.append(Level(view.baseline_gflops, f"{view.baseline_name} {view.baseline_gflops:.3g}"))
    highest = curve.best[-1][1] if curve.best else 0.0
    if view.peak_gflops and highest and view.peak_gflops < 2.5 * max(highest, view.baseline_gflops or 0.0):
        levels.append(Level(view.peak_gflops, f"measured peak {view.peak_gflops:.3g}"))
    label = f"Speed over {UNITS[curve.by]}; the best elite reaches {highest:.1f} GFLOP/s."
    best = Line(curve.best, "best-line")
    return draw_chart(
        Chart(label, UNITS[curve.by], "GFLOP/s", (*lines, best), curve.kernels, (), levels, curve.total or None)
    )


def cells_chart(view: RunView, curve: CostCurve) -> Markup:
    """How many cells were filled, and how many each operator took."""
    lines = [Line(line.points, f"s{at}") for at, line in enumerate(curve.wins)]
    filled = curve.filled[-1][1] if curve.filled else 0
    label = f"Cells over {UNITS[curve.by]}; {filled:.0f} of {view.num_reachable} are filled at the end."
    best = Line(curve.filled, "best-line")
    return draw_chart(Chart(label, UNITS[curve.by], "cells", (*lines, best), x_max=curve.total or None))


def noise_chart(view: RunView) -> Markup:
    """The baseline's speed over the run: median of each bin, and its range."""
    low = [(at.minutes, at.low) for at in view.noise]
    high = [(at.minutes, at.high) for at in view.noise]
    middle = [(at.minutes, at.median) for at in view.noise]
    floor = min([y for _, y in low] + [0.9])
    ceiling = max([y for _, y in high] + [1.1])
    label = f"Speed of the baseline over the run, from {floor:.2f} to {ceiling:.2f} of its speed at the start."
    bands, lines = (Band(low, high, "b0"),), (Line(middle, "best-line", step=False),)
    levels = (Level(1.0, "as calibrated"),)
    return draw_chart(
        Chart(label, "minutes active", "relative speed", lines, (), bands, levels, None, (floor * 0.97, ceiling * 1.03))
    )


def outcome_bar(outcomes: Mapping[str, int]) -> Markup:
    """Outcomes as shares of one bar."""
    return draw_shares({name: float(count) for name, count in outcomes.items()}, "outcome")


def phase_bar(seconds: Mapping[str, float]) -> Markup:
    """Where the time went, as shares of one bar."""
    return draw_shares(seconds, "phase", "s")


def breakable(words: str) -> str:
    """Text that may be broken after the slashes of a cell's name."""
    return words.replace("/", "/\u200b").replace("GFLOP/\u200bs", "GFLOP/s")


PANEL_FUNCTIONS: Mapping[str, Callable[..., Any]] = {  # Any: templates call them with their own arguments
    "archive_picture": archive_picture,
    "color_bar": color_bar,
    "speed_chart": speed_chart,
    "cells_chart": cells_chart,
    "noise_chart": noise_chart,
    "roofline_picture": lambda view: draw_roofline(view.roofline),
    "timeline_picture": lambda view: draw_timeline(view.timeline),
    "outcome_bar": outcome_bar,
    "phase_bar": phase_bar,
    "difference_map": difference_map,
    "difference_bar": difference_bar,
    "group_chart": group_chart,
    "breakable": breakable,
    "duration": duration,
    "short": short,
}
