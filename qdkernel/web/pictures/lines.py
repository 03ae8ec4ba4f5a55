"""Line charts: curves over a run's cost, and the steadiness of the machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from qdkernel.web.pictures.svg import element, number, path, picture, text
from qdkernel.web.pictures.ticks import linear_ticks
from qdkernel.web.wording import short

WIDTH, HEIGHT = 520.0, 300.0  # readable from a phone's width up to half a screen
_LEFT, _RIGHT, _TOP, _BOTTOM = 50.0, 14.0, 14.0, 44.0

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """A curve: ``look`` is its CSS class; a ``step`` curve holds its value until the next point."""

    points: Points
    look: str
    step: bool = True


@dataclass(frozen=True)
class Band:
    """A region between two curves over the same places."""

    low: Points
    high: Points
    look: str


@dataclass(frozen=True)
class Level:
    """A horizontal line with its name."""

    value: float
    name: str


@dataclass(frozen=True)
class Chart:
    """What a chart shows; ranges that are ``None`` follow from the data."""

    label: str
    x_name: str
    y_name: str
    lines: Sequence[Line] = ()
    dots: Points = ()
    bands: Sequence[Band] = ()
    levels: Sequence[Level] = ()
    x_max: float | None = None
    y_range: tuple[float, float] | None = None


def draw_chart(chart: Chart) -> Markup:
    """The picture of a chart."""
    left, right, bottom, top = _ranges(chart)

    def place(point: tuple[float, float]) -> tuple[float, float]:
        x, y = point
        across = (x - left) / (right - left) * (WIDTH - _LEFT - _RIGHT)
        up = (min(max(y, bottom), top) - bottom) / (top - bottom) * (HEIGHT - _TOP - _BOTTOM)
        return _LEFT + across, HEIGHT - _BOTTOM - up

    parts = _axes(chart, (left, right, bottom, top), place)
    for level in chart.levels:
        y = place((left, level.value))[1]
        parts.append(element("path", d=f"M{number(_LEFT)},{number(y)}H{number(WIDTH - _RIGHT)}", class_="level"))
        parts.append(text(WIDTH - _RIGHT - 4, y - 5, level.name, text_anchor="end", class_="level-name"))
    for band in chart.bands:
        outline = [place(p) for p in band.low] + [place(p) for p in reversed(band.high)]
        parts.append(path(outline, class_=f"band {band.look}"))
    if chart.dots:
        places = "".join("M" + ",".join(map(number, place(dot))) + "h0" for dot in chart.dots)
        parts.append(element("path", d=places, class_="dots"))
    for line in chart.lines:
        corners = _stairs(line.points) if line.step else line.points
        parts.append(path([place(point) for point in corners], class_=f"line {line.look}"))
    return picture(WIDTH, HEIGHT, chart.label, *parts, class_="chart")


def _ranges(chart: Chart) -> tuple[float, float, float, float]:
    every = [p for line in chart.lines for p in line.points] + list(chart.dots)
    every += [p for band in chart.bands for p in (*band.low, *band.high)]
    right = chart.x_max or max((x for x, _ in every), default=0.0) or 1.0
    if chart.y_range is not None:
        return 0.0, right, *chart.y_range
    high = max([y for _, y in every] + [level.value for level in chart.levels], default=0.0) or 1.0
    return 0.0, right, 0.0, high * 1.06


def _axes(
    chart: Chart,
    ranges: tuple[float, float, float, float],
    place: Callable[[tuple[float, float]], tuple[float, float]],
) -> list[Markup]:
    left, right, bottom, top = ranges
    parts = []
    for tick in linear_ticks(bottom, top):
        y = place((left, tick))[1]
        parts.append(element("path", d=f"M{number(_LEFT)},{number(y)}H{number(WIDTH - _RIGHT)}", class_="grid"))
        parts.append(text(_LEFT - 7, y + 4, short(tick), text_anchor="end"))
    for tick in linear_ticks(left, right):
        x = place((tick, bottom))[0]
        parts.append(text(min(x, WIDTH - _RIGHT - 4), HEIGHT - _BOTTOM + 18, short(tick), text_anchor="middle"))
    base = number(HEIGHT - _BOTTOM)
    parts.append(element("path", d=f"M{number(_LEFT)},{base}H{number(WIDTH - _RIGHT)}", class_="base"))
    middle = (_LEFT + WIDTH - _RIGHT) / 2
    parts.append(text(middle, HEIGHT - 6, chart.x_name, text_anchor="middle", class_="axis"))
    turn = f"rotate(-90 12 {number((HEIGHT - _BOTTOM + _TOP) / 2)})"
    parts.append(
        text(12, (HEIGHT - _BOTTOM + _TOP) / 2, chart.y_name, text_anchor="middle", class_="axis", transform=turn)
    )
    return parts


def _stairs(points: Points) -> list[tuple[float, float]]:
    corners: list[tuple[float, float]] = []
    for x, y in points:
        if corners:
            corners.append((x, corners[-1][1]))
        corners.append((x, y))
    return corners
