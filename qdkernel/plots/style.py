"""The look that all pictures share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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


def write_title(figure: Figure, title: str) -> None:
    """Writes a title into the upper left corner: the first line large, the others, for details, small below it."""
    first, _, rest = title.partition("\n")
    height = 72 * figure.get_figheight()  # points
    figure.text(0.03, 1 - 20 / height, first, fontsize=15, fontweight="bold", va="center")
    figure.text(0.03, 1 - 32 / height, rest, fontsize=11, color=INK, va="top")
