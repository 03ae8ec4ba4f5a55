"""Bars: the timeline of evaluators and requests, and shares of a whole."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from qdkernel.web.pictures.svg import element, number, picture, text
from qdkernel.web.pictures.ticks import linear_ticks
from qdkernel.web.view import Timeline
from qdkernel.web.wording import duration, short

_LANE = 22.0
_WIDTH, _LEFT, _BOTTOM = 1060.0, 84.0, 40.0


def draw_timeline(timeline: Timeline) -> Markup:
    """The latest evaluations and requests, a row for each that ran at the same time."""
    lanes = timeline.evaluator_lanes + timeline.request_lanes
    height = lanes * _LANE + _BOTTOM + 6
    begin = min((bar.begin_s for bar in timeline.bars), default=0.0)
    end = max((bar.end_s for bar in timeline.bars), default=begin + 1.0)

    def across(at: float) -> float:
        return _LEFT + (at - begin) / max(end - begin, 1e-9) * (_WIDTH - _LEFT - 10)

    parts = []
    for lane in range(lanes):
        evaluator = lane < timeline.evaluator_lanes
        name = f"evaluator {lane + 1}" if evaluator else f"request {lane - timeline.evaluator_lanes + 1}"
        parts.append(text(_LEFT - 8, lane * _LANE + 16, name, text_anchor="end"))
    for tick in linear_ticks(begin, end, 8):
        x = across(tick)
        parts.append(element("path", d=f"M{number(x)},0V{number(lanes * _LANE)}", class_="grid"))
        parts.append(text(x, lanes * _LANE + 18, short(tick), text_anchor="middle"))
    parts.append(text(_WIDTH / 2, height - 4, "seconds of the run", text_anchor="middle", class_="axis"))
    for bar in timeline.bars:
        x = across(bar.begin_s)
        words = element("title", f"{bar.label}: {bar.phase} {bar.end_s - bar.begin_s:.3f} s")
        box = {"x": x, "y": bar.lane * _LANE + 3, "width": max(0.8, across(bar.end_s) - x), "height": _LANE - 6}
        parts.append(element("rect", words, class_=f"phase-{bar.phase}", **box))
    label = f"The latest {len({bar.number for bar in timeline.bars if bar.number})} evaluations as bars."
    return picture(_WIDTH, height, label, *parts, class_="chart wide")


def draw_shares(shares: Mapping[str, float], look: str, unit: str = "") -> Markup:
    """One bar divided by shares; ``look`` and the name of a share make up its CSS class."""
    total = sum(shares.values())
    if not total > 0:
        return Markup()
    parts, at = [], 0.0
    for name, value in shares.items():
        width = 400 * value / total
        amount = duration(value) if unit == "s" else f"{value:,.0f}"
        words = element("title", f"{name}: {amount} ({value / total:.0%})")
        parts.append(element("rect", words, x=at, y=0, width=width, height=14, class_=f"{look}-{name}"))
        at += width
    label = ", ".join(f"{name} {value / total:.0%}" for name, value in shares.items())
    return picture(400, 14, label, *parts, class_="shares", preserveAspectRatio="none")
