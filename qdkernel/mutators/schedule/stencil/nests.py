"""The loop nests of a printed stencil kernel: blocks, tiles, scratch tiles and the loop over sweeps."""

from __future__ import annotations

from qdkernel.mutators.schedule.c_text import indent, loop
from qdkernel.mutators.schedule.stencil.style import PrintContext

MIN = """\
static inline int min(int a, int b)
{
    return a < b ? a : b;
}"""
MAX = """\
static inline int max(int a, int b)
{
    return a > b ? a : b;
}"""


def block(style: PrintContext) -> str:
    """The function that sweeps a rectangle of rows and columns once."""
    header = f"static void relax_block(int rows, int columns, {style.parameters()})"
    return f"/* Rows and columns from one point on, once. */\n{loop(header, *_block_body(style), function=True)}"


def _block_body(style: PrintContext) -> list[str]:
    genome = style.genome
    one = "relax_rows" if style.vector else "relax_points"
    if genome.strips:
        rest = f"relax_rows(columns - j, {style.arguments(' + i * {row} + j', one_row=True)});"
        return [
            "int j = 0;",
            loop("for (; j + STRIP <= columns; j += STRIP)", f"relax_strip(rows, {style.arguments(' + j')});"),
            loop("for (int i = 0; i < rows && j < columns; i++)", rest),
        ]
    alone = f"{one}(columns, {style.arguments(' + i * {row}', one_row=True)});"
    if genome.rows == 1:
        return [loop("for (int i = 0; i < rows; i++)", alone)]
    together = f"columns, {style.arguments(' + i * {row}')});"
    if genome.registers:
        many = f"relax_band({together}"
    else:
        many, alone = f"relax_rows(ROWS, {together}", f"relax_rows(1, {together}"
    return [
        "int i = 0;",
        loop("for (; i + ROWS <= rows; i += ROWS)", many),
        loop("for (; i < rows; i++)", alone),
    ]


def share(style: PrintContext, *, collapse: bool = False, nowait: bool = False) -> str:
    """The pragma line that shares the loop after it among threads; empty for one thread."""
    genome = style.genome
    if genome.threads == "serial":
        return ""
    if genome.threads == "tasks":
        return "#pragma omp taskloop\n"
    chunk = ", CHUNK" if genome.schedule != "static" and genome.blocking == "none" and not genome.wavefront else ""
    merged = " collapse(2)" if collapse and genome.threads == "grid" else ""
    waits = not nowait and not genome.stream  # after streaming stores there is a fence first
    return f"#pragma omp for{merged} schedule({genome.schedule}{chunk}){'' if waits else ' nowait'}\n"


def sweeps(style: PrintContext, *nest: str) -> str:
    """The loop over sweeps, or over passes of several sweeps, around a nest that goes from ``from`` to ``to``."""
    stencil, genome = style.stencil, style.genome
    first, second = stencil.buffers
    if not stencil.sweeps:
        return _team(style, f"const double *from = {first};\ndouble *to = {second};", *nest, bare=True)
    total = stencil.sweeps
    if genome.sweeps == 1:
        ends = [
            f"const double *from = step % 2 == 0 ? {first} : {second};",
            f"double *to = step % 2 == 0 ? {second} : {first};",
        ]
        return _team(style, loop(f"for (int step = 0; step < {total}; step++)", *ends, *nest))
    odd, writable = "pass", "const "
    if genome.wavefront:  # both buffers are written, and a pass begins where the one before ended
        odd, writable = "done", ""
    ends = [
        f"const int done = (int)((long long){total} * pass / passes);",
        f"const int depth = (int)((long long){total} * (pass + 1) / passes) - done;",
        f"{writable}double *from = {odd} % 2 == 0 ? {first} : {second};",
        f"double *to = {odd} % 2 == 0 ? {second} : {first};",
    ]
    count = f"int passes = {total} / SWEEPS + ({total} % SWEEPS != 0);"
    if not genome.wavefront:
        count += (
            f"\nif (passes % 2 != {total} % 2)\n    passes++; /* every pass changes buffers, and so does every sweep */"
        )
    return count + "\n" + _team(style, loop("for (int pass = 0; pass < passes; pass++)", *ends, *nest))


def _team(style: PrintContext, *statements: str, bare: bool = False) -> str:
    threads = style.genome.threads
    pragma = "" if threads == "serial" else "#pragma omp parallel\n"
    if threads == "tasks":
        pragma += "#pragma omp single\n"
    text = "\n".join(statements)
    if bare and pragma:
        return f"{pragma}{{\n{indent(text, 1)}\n}}"
    return pragma + text


def plain_nest(style: PrintContext) -> list[str]:
    """Untiled loops of one sweep."""
    stencil, genome = style.stencil, style.genome
    if style.solid:
        at = "k * plane + row + 1"
        body = f"relax_block({stencil.rows}, {stencil.columns}, from + {at}, to + {at}, row, plane);"
        return [share(style) + loop(f"for (int k = 1; k <= {stencil.planes}; k++)", body)]
    if genome.registers:
        return _register_nest(style)
    at = "i * row + 1"
    one = "relax_rows" if style.vector else "relax_points"
    if genome.rows == 1:
        body = f"{one}({stencil.columns}, from + {at}, to + {at}, row);"
        return [share(style) + loop(f"for (int i = 1; i <= {stencil.rows}; i++)", body)]
    together = f"relax_rows(ROWS, {stencil.columns}, from + {at}, to + {at}, row);"
    alone = loop(
        f"for (int r = i; r <= {stencil.rows}; r++)",
        f"relax_rows(1, {stencil.columns}, from + r * row + 1, to + r * row + 1, row);",
    )
    either = loop(f"if (i + ROWS <= {stencil.rows} + 1)", together) + "\n" + loop("else", alone)
    return [share(style) + loop(f"for (int i = 1; i <= {stencil.rows}; i += ROWS)", either, "")]


def _register_nest(style: PrintContext) -> list[str]:
    """Threads share strips or bands, then what these leave over."""
    rows, columns = style.stencil.rows, style.stencil.columns
    if style.vector:
        at = "row + 1 + strip * STRIP"
        left = f"{columns} - strips * STRIP"
        rest = f"relax_rows({left}, from + i * row + 1 + strips * STRIP, to + i * row + 1 + strips * STRIP, row);"
        return [
            f"const int strips = {columns} / STRIP;",
            share(style, nowait=True)
            + loop(
                "for (int strip = 0; strip < strips; strip++)",
                f"relax_strip({rows}, from + {at}, to + {at}, row);",
            ),
            share(style) + loop(f"for (int i = 1; i <= {rows}; i++)", rest),
        ]
    at = "(1 + band * ROWS) * row + 1"
    return [
        f"const int bands = {rows} / ROWS;",
        share(style, nowait=True)
        + loop("for (int band = 0; band < bands; band++)", f"relax_band({columns}, from + {at}, to + {at}, row);"),
        share(style)
        + loop(
            f"for (int i = bands * ROWS + 1; i <= {rows}; i++)",
            f"relax_points({columns}, from + i * row + 1, to + i * row + 1, row);",
        ),
    ]


def tiled_nest(style: PrintContext) -> list[str]:
    """Loops over cache tiles of one sweep or, packed, of one pass."""
    stencil, genome = style.stencil, style.genome
    strides = "row, plane" if style.solid else "row"
    if genome.blocking == "packed":
        extents = ", ".join(filter(None, (stencil.planes, stencil.rows, stencil.columns)))
        corner = "front, top, left" if style.solid else "top, left"
        depth = ", depth" if genome.sweeps > 1 else ""
        body = f"relax_tile({extents}, {corner}{depth}, from, to, {strides});"
    else:
        sizes = f"min(TILE_ROWS, {stencil.rows} + 1 - top), min(TILE_COLUMNS, {stencil.columns} + 1 - left)"
        at = ("k * plane + " if style.solid else "") + "top * row + left"
        body = f"relax_block({sizes}, from + {at}, to + {at}, {strides});"
        if style.solid:
            last = f"min(front + TILE_PLANES, {stencil.planes} + 1)"
            body = loop(f"for (int k = front, behind = {last}; k < behind; k++)", body)
    nest = loop(
        f"for (int top = 1; top <= {stencil.rows}; top += TILE_ROWS)",
        loop(f"for (int left = 1; left <= {stencil.columns}; left += TILE_COLUMNS)", body),
    )
    if style.solid:
        nest = loop(f"for (int front = 1; front <= {stencil.planes}; front += TILE_PLANES)", nest)
    return [share(style, collapse=True) + nest]
