"""Several sweeps in one pass over memory: bands of rows (planes in three dimensions) swept by wavefronts."""

from __future__ import annotations

from qdkernel.mutators.schedule.c_text import loop
from qdkernel.mutators.schedule.stencil.nests import share
from qdkernel.mutators.schedule.stencil.style import PrintContext


def functions(style: PrintContext) -> list[str]:
    """The functions for a slice (a row or plane), for a band, and for what neighboring bands leave undone."""
    what = "plane" if style.solid else "row"
    shape = "int rows, int columns" if style.solid else "int columns"
    strides = "ptrdiff_t row, ptrdiff_t plane" if style.solid else "ptrdiff_t row"
    grid = f"{shape}, double *from, double *to, {strides}"
    passed = ("rows, columns" if style.solid else "columns") + ", from, to, " + ("row, plane" if style.solid else "row")
    at = "i * plane + row + 1" if style.solid else "i * row + 1"
    one = "relax_rows" if style.vector else "relax_points"
    call = "relax_block(rows, columns, in, out, row, plane);" if style.solid else f"{one}(columns, in, out, row);"
    a_slice = loop(
        f"static void relax_slice(int sweep, int i, {grid})",
        f"const double *in = (sweep % 2 ? from : to) + {at};",
        f"double *out = (sweep % 2 ? to : from) + {at};",
        call,
        function=True,
    )
    trapezoid = loop(
        f"static void trapezoid(int depth, int top, int bottom, int last, {grid})",
        "const int shrink_top = top > 1, shrink_bottom = bottom <= last;",
        loop(
            "for (int wave = top; wave < bottom + depth - 1; wave++)",
            loop(
                "for (int sweep = 1; sweep <= depth; sweep++)",
                "const int lost = sweep - 1, i = wave - lost;",
                loop(
                    "if (i >= top + shrink_top * lost && i < bottom - shrink_bottom * lost)",
                    f"relax_slice(sweep, i, {passed});",
                ),
            ),
        ),
        function=True,
    )
    wedge = loop(
        f"static void wedge(int depth, int joint, {grid})",
        loop(
            "for (int sweep = 2; sweep <= depth; sweep++)",
            loop(
                "for (int i = joint - (sweep - 1); i < joint + (sweep - 1); i++)",
                f"relax_slice(sweep, i, {passed});",
            ),
        ),
        function=True,
    )
    return [
        f"/* Sweep number `sweep` of {what} i; the odd ones go from `from` to `to`, the even ones back. */\n{a_slice}",
        f"/* As soon as {what}s i - 1, i and i + 1 have had a sweep, {what} i gets the next, so that few {what}s are\n"
        f"   live and stay in cache. An inner end of a band loses a {what} per sweep, the grid's own end does not. */\n"
        f"{trapezoid}",
        f"/* What the bands that meet above {what} `joint` left undone. */\n{wedge}",
    ]


def nest(style: PrintContext) -> list[str]:
    """The loops over bands, then over the joints between them."""
    stencil = style.stencil
    last = stencil.planes or stencil.rows
    grid = f"{stencil.rows}, {stencil.columns}" if style.solid else stencil.columns
    strides = "row, plane" if style.solid else "row"
    return [
        f"const int bands = max(1, {last} / max(BAND, 2 * depth)), height = {last} / bands;",
        share(style)
        + loop(
            "for (int band = 0; band < bands; band++)",
            f"const int top = 1 + band * height, bottom = band == bands - 1 ? {last} + 1 : top + height;",
            f"trapezoid(depth, top, bottom, {last}, {grid}, from, to, {strides});",
        ),
        share(style)
        + loop(
            "for (int band = 1; band < bands; band++)",
            f"wedge(depth, 1 + band * height, {grid}, from, to, {strides});",
        ),
    ]
