"""The archive as nested blocks as in ``archive.png``: blocking and SIMD outside, threading and prefetch inside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from markupsafe import Markup

from qdkernel.core import AXES, Cell
from qdkernel.web.pictures.svg import element, picture, text

SIDE = 30.0  # of a cell; a number of four characters fits
_GAP = 14.0  # between blocks
_LEFT, _TOP, _BOTTOM = 92.0, 40.0, 66.0


@dataclass(frozen=True)
class Tile:
    """How a cell looks: ``look`` is its CSS class, ``words`` its tooltip, ``number`` the record it leads to."""

    look: str
    label: str
    words: str
    number: int | None = None
    best: bool = False


def draw_archive(tiles: Mapping[Cell, Tile], label: str, hatched: Iterable[Cell] = ()) -> Markup:
    """The picture of an archive.

    Args:
        tiles: every cell of the archive.
        label: a sentence for screen readers.
        hatched: cells to draw a hatch over.
    """
    columns, rows, inner_columns, inner_rows = (len(axis.levels) for axis in AXES)
    wide, high = inner_columns * SIDE + _GAP, inner_rows * SIDE + _GAP
    width, height = _LEFT + columns * wide, _TOP + rows * high - _GAP + _BOTTOM
    hatch = set(hatched)

    def corner(cell: Cell) -> tuple[float, float]:
        a, b, c, d = cell
        return _LEFT + a * wide + c * SIDE, _TOP + (rows - 1 - b) * high + (inner_rows - 1 - d) * SIDE

    cells = [_tile(corner(cell), cell, tile, cell in hatch) for cell, tile in sorted(tiles.items(), key=_reading_order)]
    best = [_ring(corner(cell)) for cell, tile in tiles.items() if tile.best]
    return picture(width, height, label, _HATCHES, *_labels(wide, high), *cells, *best, class_="archive")


def _reading_order(item: tuple[Cell, Tile]) -> tuple[int, ...]:
    """Top to bottom, left to right: the order of the tabulator key."""
    a, b, c, d = item[0]
    return -b, a, -d, c


def _tile(at: tuple[float, float], cell: Cell, tile: Tile, hatched: bool) -> Markup:
    x, y = at
    square = element("rect", x=x + 1, y=y + 1, width=SIDE - 2, height=SIDE - 2, rx=3)
    parts = [element("title", tile.words), square]
    if hatched:
        parts.append(element("rect", class_="over", x=x + 1, y=y + 1, width=SIDE - 2, height=SIDE - 2, rx=3))
    if tile.label:
        parts.append(text(x + SIDE / 2, y + SIDE / 2 + 4, tile.label, text_anchor="middle"))
    index = "-".join(map(str, cell))
    if tile.number is None:
        return element("g", *parts, class_=f"cell {tile.look}", data_cell=index)
    link = {"href": f"#r{tile.number}", "aria_label": tile.words}
    return element("a", *parts, class_=f"cell {tile.look}", data_cell=index, **link)


def _ring(at: tuple[float, float]) -> Markup:
    return element("rect", x=at[0], y=at[1], width=SIDE, height=SIDE, rx=4, class_="best-ring")


def _pattern(name: str, look: str) -> Markup:
    stripes = element("path", d="M-1,7L7,-1M-1,1L1,-1M5,7L7,5", class_=look)
    return element("pattern", stripes, id=name, width=6, height=6, patternUnits="userSpaceOnUse")


_HATCHES = element("defs", _pattern("hatch", "stripe"), _pattern("hatch-light", "stripe-light"))


def _labels(wide: float, high: float) -> list[Markup]:
    blocking, simd, threading, prefetch = AXES
    found = []
    bottom = _TOP + len(simd.levels) * high - _GAP
    for a, level in enumerate(blocking.levels):
        middle = _LEFT + a * wide + len(threading.levels) * SIDE / 2
        found.append(text(middle, _TOP - 10, level, text_anchor="middle", class_="outer"))
        for c, inner in enumerate(threading.levels):
            x = _LEFT + a * wide + (c + 0.5) * SIDE + 4
            turned = f"rotate(-90 {x:g} {bottom + 8:g})"
            found.append(text(x, bottom + 8, inner, text_anchor="end", transform=turned, class_="inner"))
    for b, level in enumerate(simd.levels):
        top = _TOP + (len(simd.levels) - 1 - b) * high
        middle = top + len(prefetch.levels) * SIDE / 2
        turned = f"rotate(-90 22 {middle:g})"
        found.append(text(22, middle, level, text_anchor="middle", transform=turned, class_="outer"))
        for d, inner in enumerate(prefetch.levels):
            y = top + (len(prefetch.levels) - 1 - d + 0.5) * SIDE + 4
            found.append(text(_LEFT - 8, y, inner, text_anchor="end", class_="inner"))
    found.append(text(_LEFT, 12, f"{blocking.name} →", class_="axis"))
    found.append(text(4, _TOP - 10, f"{simd.name} ↑", class_="axis"))
    found.append(text(4, bottom + 20, f"{prefetch.name} ↑", class_="axis"))
    found.append(text(4, bottom + 36, f"{threading.name} →", class_="axis"))
    return found
