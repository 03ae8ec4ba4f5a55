"""The archive as one nested heatmap: two axes of the archive outside, two inside each block.

Columns of blocks are levels of the first axis (blocking), rows of the second (simd); inside a block columns are levels
of the third (threading), rows of the fourth (prefetch). Colour is the elite's objective; white with a thin edge is
empty; grey and hatched cannot be reached on the machine.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from qdkernel.analysis import speed_text
from qdkernel.core import AXES, Axis, Cell, cell_name
from qdkernel.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

_GAP = 0.5  # between blocks, in cells


@dataclass(frozen=True)
class Square:
    """One drawn cell: its lower left corner and its value.

    ``value`` is ``None`` for an empty one; ``reachable`` is false where no kernel of this machine can be.
    """

    x: float
    y: float
    value: float | None
    reachable: bool


def draw_archive(
    figure: Figure,
    cells: Mapping[Cell, float],
    reachable: Collection[Cell],
    axes: Sequence[Axis] = AXES,
    unit: str = "GFLOP/s",
    title: str = "",
) -> None:
    """Draws the nested heatmap with its color bar and legend on an empty figure.

    Args:
        figure: drawn on whole; 13 x 9 inches leave room for the numbers in 320 cells.
        cells: objective of each filled cell.
        reachable: cells that the machine can fill.
        axes: the archive's four axes.
        unit: of the objective, for the color bar.
        title: above the picture; lines after the first are smaller.
    """
    ax = figure.add_axes((0.105, 0.165, 0.775, 0.735))
    columns, rows, inner_columns, inner_rows = (len(axis.levels) for axis in axes)
    wide, high = inner_columns + _GAP, inner_rows + _GAP
    every = [
        (a, b, c, d)
        for a in range(columns)
        for b in range(rows)
        for c in range(inner_columns)
        for d in range(inner_rows)
    ]
    mapping = cell_colors(cells.values())
    squares = [
        Square(a * wide + c, b * high + d, cells.get(Cell(a, b, c, d)), Cell(a, b, c, d) in reachable)
        for a, b, c, d in every
    ]
    draw_squares(ax, squares, mapping)
    ax.set_xlim(-0.1, columns * wide - _GAP + 0.1)
    ax.set_ylim(-0.1, rows * high - _GAP + 0.1)
    write_numbers(ax, squares, mapping)
    _label_blocks(ax, axes, wide, high)
    colour_bar = figure.colorbar(mapping, cax=figure.add_axes((0.905, 0.165, 0.018, 0.735)))
    colour_bar.set_label(f"objective [{unit}]")
    style.write_title(figure, title)
    _draw_legend(figure, ax, cells, wide, high, unit)


def cell_colors(values: Iterable[float]) -> ScalarMappable:
    """Colours from 0 to the largest value."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    return ScalarMappable(Normalize(0.0, max(values, default=1.0)), style.COLOR_MAP)


def draw_squares(ax: Axes, squares: Sequence[Square], mapping: ScalarMappable) -> None:
    """Fills each unit square with its color, or shows that it is empty or out of reach; no spines, no ticks."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    filled = [s for s in squares if s.value is not None]
    for some, looks in (
        ([s for s in squares if s.value is None and s.reachable], _EMPTY_LOOK),
        ([s for s in squares if s.value is None and not s.reachable], _UNREACHABLE_LOOK),
        (
            filled,
            {"facecolor": [_rgba(mapping, s.value or 0.0) for s in filled], "edgecolor": "white"},
        ),
    ):
        ax.add_collection(PatchCollection([Rectangle((s.x, s.y), 1, 1) for s in some], linewidth=0.8, **looks))
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)


def _rgba(mapping: ScalarMappable, value: float) -> tuple[float, float, float, float]:
    red, green, blue, alpha = mapping.to_rgba(np.array([value]))[0]
    return float(red), float(green), float(blue), float(alpha)


_EMPTY_LOOK: dict[str, Any] = {"facecolor": style.EMPTY, "edgecolor": style.EMPTY_EDGE}
_UNREACHABLE_LOOK: dict[str, Any] = {
    "facecolor": style.UNREACHABLE,
    "edgecolor": style.UNREACHABLE_HATCH,
    "hatch": "////",
}


def kinds_of_empty() -> list[Patch]:
    """Legend entries of the two kinds of cell without a color."""
    from matplotlib.patches import Patch

    return [Patch(label="empty", **_EMPTY_LOOK), Patch(label="out of this machine's reach", **_UNREACHABLE_LOOK)]


def write_numbers(ax: Axes, squares: Sequence[Square], mapping: ScalarMappable, largest: float = 11.0) -> None:
    """Writes the value in each filled square where four characters fit; set the axes' limits before."""
    points = ax.get_window_extent().width / ax.figure.dpi * 72
    size = min(largest, points / (ax.get_xlim()[1] - ax.get_xlim()[0]) / 2.3)
    if size < 5:  # heuristic: smaller cannot be read on a slide
        return
    for square in squares:
        if square.value is not None:
            red, green, blue, _ = _rgba(mapping, square.value)
            ink = "white" if 0.3 * red + 0.59 * green + 0.11 * blue < 0.5 else "black"
            text = speed_text(square.value)
            ax.text(square.x + 0.5, square.y + 0.48, text, ha="center", va="center", fontsize=size, color=ink)


def _label_blocks(ax: Axes, axes: Sequence[Axis], wide: float, high: float) -> None:
    outer_x, outer_y, inner_x, inner_y = axes
    ticks_x = [
        (a * wide + c + 0.5, level) for a in range(len(outer_x.levels)) for c, level in enumerate(inner_x.levels)
    ]
    ticks_y = [
        (b * high + d + 0.5, level) for b in range(len(outer_y.levels)) for d, level in enumerate(inner_y.levels)
    ]
    ax.set_xticks([at for at, _ in ticks_x], [level for _, level in ticks_x], rotation=90, fontsize=10)
    ax.set_yticks([at for at, _ in ticks_y], [level for _, level in ticks_y], fontsize=10)
    ax.set_xlabel(inner_x.name, labelpad=6)
    ax.set_ylabel(inner_y.name, labelpad=6)
    top = ax.get_ylim()[1]
    for a, level in enumerate(outer_x.levels):
        name = f"{outer_x.name}: {level}" if a == 0 else level
        middle = a * wide + len(inner_x.levels) / 2
        ax.text(middle, top + 0.15, name, ha="center", va="bottom", fontsize=12, fontweight="bold")
    for b, level in enumerate(outer_y.levels):
        name = f"{outer_y.name}: {level}" if b == 0 else level
        at = (-0.095, b * high + len(inner_y.levels) / 2)
        ax.text(
            *at,
            name,
            ha="center",
            va="center",
            rotation=90,
            fontsize=12,
            fontweight="bold",
            transform=ax.get_yaxis_transform(),
        )


def _draw_legend(figure: Figure, ax: Axes, cells: Mapping[Cell, float], wide: float, high: float, unit: str) -> None:
    from matplotlib.patches import Patch, Rectangle

    handles = kinds_of_empty()
    if cells:
        best = max(cells, key=lambda cell: cells[cell])
        corner = (best[0] * wide + best[2], best[1] * high + best[3])
        ax.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=style.BEST, linewidth=2.5, zorder=5))
        label = f"best: {cells[best]:.1f} {unit} at {cell_name(best)}"
        handles.append(Patch(facecolor="none", edgecolor=style.BEST, linewidth=2.5, label=label))
    else:
        handles.append(Patch(facecolor="none", edgecolor="none", label="no kernel holds a cell yet"))
    figure.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.095, 0.005), ncols=3, fontsize=11)
