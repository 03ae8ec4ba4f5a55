"""The archive seen along each pair of its axes: color is the best objective over the two hidden axes."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from qdkernel.core import AXES, Axis, Cell
from qdkernel.plots import style
from qdkernel.plots.heatmap import Square, cell_colors, draw_squares, kinds_of_empty, write_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure


def draw_projections(
    figure: Figure,
    cells: Mapping[Cell, float],
    reachable: Collection[Cell],
    axes: Sequence[Axis] = AXES,
    unit: str = "GFLOP/s",
    title: str = "",
) -> None:
    """Draws the six pairwise projections, one color scale for all, on an empty figure.

    Args:
        figure: drawn on whole; 14 x 8.5 inches fit.
        cells: objective of each filled cell.
        reachable: cells that the machine can fill.
        axes: the archive's four axes.
        unit: of the objective, for the color bar.
        title: above the picture; lines after the first are smaller.
    """
    grid = figure.subplots(2, 3)
    figure.subplots_adjust(left=0.085, right=0.885, bottom=0.125, top=0.87, wspace=0.5, hspace=0.42)
    mapping = cell_colors(cells.values())
    for ax, (across, up) in zip(grid.flat, itertools.combinations(range(len(axes)), 2), strict=True):
        pairs = {(cell[across], cell[up]) for cell in reachable}
        _draw_pair(ax, axes[across], axes[up], project(cells, across, up), pairs, mapping)
    colour_bar = figure.colorbar(mapping, cax=figure.add_axes((0.915, 0.125, 0.015, 0.745)))
    colour_bar.set_label(f"best objective over the hidden axes [{unit}]")
    style.write_title(figure, title)
    figure.legend(handles=kinds_of_empty(), loc="lower left", bbox_to_anchor=(0.075, 0.005), ncols=2)


def project(cells: Mapping[Cell, float], across: int, up: int) -> dict[tuple[int, int], float]:
    """The largest objective for each pair of levels on two axes, given by index."""
    best: dict[tuple[int, int], float] = {}
    for cell, value in cells.items():
        pair = (cell[across], cell[up])
        best[pair] = max(value, best.get(pair, value))
    return best


def _draw_pair(
    ax: Axes,
    across: Axis,
    up: Axis,
    best: Mapping[tuple[int, int], float],
    reachable: Collection[tuple[int, int]],
    mapping: ScalarMappable,
) -> None:
    pairs = itertools.product(range(len(across.levels)), range(len(up.levels)))
    squares = [Square(x, y, best.get((x, y)), (x, y) in reachable) for x, y in pairs]
    draw_squares(ax, squares, mapping)
    names = [level.replace("+", "+\n") for level in across.levels]
    ax.set_xticks([level + 0.5 for level in range(len(names))], names, fontsize=9.5)
    ax.set_yticks([level + 0.5 for level in range(len(up.levels))], up.levels, fontsize=10)
    ax.set_xlabel(across.name)
    ax.set_ylabel(up.name)
    ax.set_xlim(-0.05, len(across.levels) + 0.05)
    ax.set_ylim(-0.05, len(up.levels) + 0.05)
    write_numbers(ax, squares, mapping)
