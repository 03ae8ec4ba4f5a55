"""The look that all pictures share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SETTINGS: Mapping[str, Any] = {  # Any: matplotlib's values
    "font.size": 11.0,
    "axes.titlesize": 13.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 12.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "hatch.linewidth": 0.6,
    "text.parse_math": False,  # a dollar sign in a CPU's name is a dollar sign
}

COLOR_MAP = "viridis"  # perceptually uniform, readable without color vision
EMPTY = "#ffffff"
EMPTY_EDGE = "#d0d0d0"
UNREACHABLE = "#e4e4e4"
UNREACHABLE_HATCH = "#9a9a9a"
BEST = "#d62728"
INK = "#333333"
# One color per level of an axis, dark to light along the same map; yellow's end is too pale for points.
LEVELS = ("#440154", "#31688e", "#21a585", "#b5c918", "#e08214")
DPI = 150


@contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib's own defaults with the project's settings, independent of the user's ``matplotlibrc``."""
    from matplotlib import style

    with style.context(["default", dict(SETTINGS)]):
        yield


def ratio_axis(axes: Axes, ratios: Iterable[float]) -> None:
    """Makes the x axis logarithmic, around the ratios and 1, with ticks such as 0.5, 1, 2."""
    from matplotlib.ticker import FixedLocator, NullLocator

    shown = [*ratios, 1.0]
    low, high = 0.9 * min(shown), 1.1 * max(shown)
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    steps = (1, 1.5, 2, 3, 5, 7) if high / low < 10 else (1, 2, 5) if high / low < 1000 else (1,)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**decade for decade in decades for step in steps]
    axes.xaxis.set_major_locator(FixedLocator([tick for tick in ticks if low <= tick <= high]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, place: f"{value:g}")
    axes.axvline(1, color=INK, linewidth=0.9)


def write_title(figure: Figure, title: str) -> None:
    """Writes a title into the upper left corner: the first line large, the others, for details, small below it."""
    first, _, rest = title.partition("\n")
    height = 72 * figure.get_figheight()  # points
    figure.text(0.03, 1 - 20 / height, first, fontsize=15, fontweight="bold", va="center")
    figure.text(0.03, 1 - 32 / height, rest, fontsize=11, color=INK, va="top")
