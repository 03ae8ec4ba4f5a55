"""The packed tile of a printed stencil kernel: copied with its neighbors, swept there, written to its place."""

from __future__ import annotations

from dataclasses import dataclass

from qdkernel.mutators.schedule.c_text import loop
from qdkernel.mutators.schedule.stencil.style import PrintContext


@dataclass(frozen=True)
class _Side:
    """Names in the printed C along one dimension: extent, tile, its first and last point, index, copied range."""

    extent: str
    tile: str
    first: str
    last: str
    index: str
    low: str
    high: str


_PLANES = _Side("planes", "TILE_PLANES", "front", "back", "k", "nearest", "farthest")
_ROWS = _Side("rows", "TILE_ROWS", "top", "bottom", "i", "north", "south")
_COLUMNS = _Side("columns", "TILE_COLUMNS", "left", "right", "j", "west", "east")


def scratch_constants(style: PrintContext) -> str:
    """``#define`` lines for the strides of scratch memory; they follow from the tile."""
    depth = "SWEEPS" if style.genome.sweeps > 1 else "1"
    lines = [f"#define SCRATCH_ROW (TILE_COLUMNS + 2 * {depth}) /* a row of a tile in scratch memory */"]
    if style.solid:
        lines.append(f"#define SCRATCH_PLANE ((TILE_ROWS + 2 * {depth}) * SCRATCH_ROW)")
        lines.append(f"#define SCRATCH ((TILE_PLANES + 2 * {depth}) * SCRATCH_PLANE)")
    else:
        lines.append(f"#define SCRATCH ((TILE_ROWS + 2 * {depth}) * SCRATCH_ROW)")
    return "\n".join(lines)


def tile(style: PrintContext) -> str:
    """The function that advances one tile by the sweeps of a pass."""
    sides = [_PLANES, _ROWS, _COLUMNS] if style.solid else [_ROWS, _COLUMNS]
    many = style.genome.sweeps > 1
    depth = "depth" if many else "1"
    extents = ", ".join(f"int {side.extent}" for side in sides)
    corner = ", ".join(f"int {side.first}" for side in sides)
    strides = ", ".join(f"ptrdiff_t {name}" for name in (("row", "plane") if style.solid else ("row",)))
    header = (
        f"static void relax_tile({extents}, {corner}{', int depth' if many else ''}, "
        f"const double *restrict from, double *restrict to, {strides})"
    )
    ends = [
        f"const int {s.last} = min({s.first} + {s.tile}, {s.extent} + 1);\n"
        f"const int {s.low} = max({s.first} - {depth}, 0), {s.high} = min({s.last} + {depth}, {s.extent} + 2);"
        for s in sides
    ]
    why = (
        "A tile and the neighbors that `depth` sweeps need are copied into scratch memory. Every sweep there computes\n"
        "   one layer of neighbors less, and the last one writes the tile to its place."
        if many
        else "A tile and its neighbors are copied into scratch memory, where rows lie close together."
    )
    body = [*ends, *_copy(style), _steps(style, sides) if many else _last(style, sides)]
    return f"/* {why} */\n{loop(header, *body, function=True)}"


def _copy(style: PrintContext) -> list[str]:
    solid, many = style.solid, style.genome.sweeps > 1
    buffers = "double scratch[2][SCRATCH], *here = scratch[0], *there = scratch[1];"
    to = ("(k - nearest) * SCRATCH_PLANE + " if solid else "") + "(i - north) * SCRATCH_ROW"
    at = ("k * plane + " if solid else "") + "i * row + west"
    size = "(size_t)(east - west) * sizeof *here"
    copy = loop("for (int i = north; i < south; i++)", f"memcpy(here + {to}, from + {at}, {size});")
    if solid:
        copy = loop("for (int k = nearest; k < farthest; k++)", copy)
    if not many:
        return ["double scratch[SCRATCH], *here = scratch;", copy]
    edges = "north == 0 || west == 0 || south == rows + 2 || east == columns + 2"
    if solid:
        edges = f"nearest == 0 || farthest == planes + 2 || {edges}"
    used = "(size_t)(farthest - nearest) * SCRATCH_PLANE" if solid else "(size_t)(south - north) * SCRATCH_ROW"
    return [
        buffers,
        copy,
        loop(
            f"if (depth > 1 && ({edges}))",
            f"memcpy(there, here, {used} * sizeof *here); /* the fixed boundary too */",
        ),
    ]


def _steps(style: PrintContext, sides: list[_Side]) -> str:
    """The sweeps in scratch memory; ``s`` of them follow."""
    ranges = [
        f"const int {s.index}0 = max({s.first} - s, 1), {s.index}1 = min({s.last} + s, {s.extent} + 1);" for s in sides
    ]
    here, place = _addresses(sides, "i0", "j0")
    size = "i1 - i0, j1 - j0"
    inner = _relax(style, "k = k0; k < k1", f"{size}, here + {here}, there + {here}", "SCRATCH_ROW")
    last = _relax(style, "k = k0; k < k1", f"{size}, here + {here}, to + {place}", "row")
    swap = "double *swap = here;\nhere = there;\nthere = swap;"
    return loop("for (int s = depth - 1; s >= 0; s--)", *ranges, loop("if (s == 0)", last, "return;"), inner, swap)


def _last(style: PrintContext, sides: list[_Side]) -> str:
    """The only sweep of a tile that is copied for one."""
    here, place = _addresses(sides, "top", "left")
    arguments = f"bottom - top, right - left, here + {here}, to + {place}"
    return _relax(style, "k = front; k < back", arguments, "row")


def _relax(style: PrintContext, planes: str, arguments: str, to_row: str) -> str:
    """The call that sweeps a rectangle, in three dimensions for every plane of a range."""
    if not style.solid:
        return f"relax_block({arguments}, SCRATCH_ROW, {to_row});"
    return loop(f"for (int {planes}; k++)", f"relax_block({arguments}, SCRATCH_ROW, SCRATCH_PLANE, {to_row});")


def _addresses(sides: list[_Side], row: str, column: str) -> tuple[str, str]:
    """Offsets of a point in scratch memory and in the grid; its plane is ``k``."""
    points = [(side, {"k": "k", "i": row, "j": column}[side.index]) for side in sides]
    inside = " + ".join(_offset(side, point) for side, point in points)
    return inside, " + ".join(_target(side, point) for side, point in points)


def _offset(side: _Side, point: str) -> str:
    stride = {"k": " * SCRATCH_PLANE", "i": " * SCRATCH_ROW", "j": ""}[side.index]
    return f"({point} - {side.low}){stride}"


def _target(side: _Side, point: str) -> str:
    return point + {"k": " * plane", "i": " * row", "j": ""}[side.index]
