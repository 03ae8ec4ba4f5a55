"""The functions of the printed kernel that copy operands into contiguous panels."""

from __future__ import annotations

from qdkernel.mutators.schedule.c_text import indent, loop
from qdkernel.mutators.schedule.gemm.printing.style import PrintContext, prefetch


def pack_a(style: PrintContext) -> str:
    """Copies A so that the register tile streams it."""
    if not style.vector:
        return _copy_rows(style)
    real, padded = style.real, style.padded_panels
    rows = ", int rows" if style.partial else ""
    spill = -style.tile[0] % style.lanes
    why = "; missing rows are zeros" if padded else ""
    over = (
        f"\n   The last vector of each column runs over by {spill}, which the next column overwrites." if spill else ""
    )
    element = "r < rows ? A[(ptrdiff_t)r * lda + p] : 0" if padded else "A[(ptrdiff_t)r * lda + p]"
    height = "rows" if style.narrow else "MR"
    tail = loop(
        "for (; p < kc; p++)",
        loop(f"for (int r = 0; r < {height}; r++)", f"to[p * {height} + r] = {element};"),
    )
    whole = "p + LANES <= kc" + (" && rows == MR" if style.narrow else "")
    body = "\n".join(["int p = 0;", loop(f"for (; {whole}; p += LANES)", *_transposed(style)), tail])
    return f"""\
/* A panel of MR rows, column after column: the tile reads A with unit stride{why}.{over} */
static void pack_a(int kc{rows}, const {real} *restrict A, int lda, {real} *restrict to)
{{
{indent(body, 1)}
}}"""


def _transposed(style: PrintContext) -> tuple[str, ...]:
    """LANES columns of a panel: rows are read as vectors, and groups of LANES of them transposed in registers."""
    groups = -(-style.tile[0] // style.lanes)
    row = "*(const vec *)(A + (ptrdiff_t)r * lda + p)"
    read = row
    if style.padded_panels:
        read = f"r < rows ? {row} : (vec){{0}}"
    elif groups * style.lanes > style.tile[0]:
        read = f"r < MR ? {row} : (vec){{0}}"
    store = "*(vec *)(to + (p + q) * MR + r) = t[r + q];"
    return (
        f"vec t[{groups} * LANES];",
        loop(f"#pragma GCC unroll 32\nfor (int r = 0; r < {groups} * LANES; r++)", f"t[r] = {read};"),
        loop(f"#pragma GCC unroll 32\nfor (int r = 0; r < {groups} * LANES; r += LANES)", "transpose(t + r);"),
        loop(
            "#pragma GCC unroll 32\nfor (int q = 0; q < LANES; q++)",
            f"#pragma GCC unroll 32\nfor (int r = 0; r < {groups} * LANES; r += LANES)\n    {store}",
        ),
    )


def transpose(style: PrintContext) -> str:
    """The transposition of LANES vectors by rounds of shuffles, each of which swaps blocks of twice the size."""
    lanes, rounds = style.lanes, []
    step = 1
    while step < lanes:
        low = [i if i // step % 2 == 0 else lanes + i - step for i in range(lanes)]
        high = [i + step if i // step % 2 == 0 else lanes + i for i in range(lanes)]
        rounds.append(
            f"""\
#pragma GCC unroll 16
for (int r = 0; r < LANES; r++) {{
    if (r & {step})
        continue;
    const vec low = t[r], high = t[r + {step}];
    t[r] = __builtin_shuffle(low, high, (lane_numbers){{{", ".join(map(str, low))}}});
    t[r + {step}] = __builtin_shuffle(low, high, (lane_numbers){{{", ".join(map(str, high))}}});
}}"""
        )
        step *= 2
    integer = "long long" if style.element_bytes == 8 else "int"
    return f"""\
typedef {integer} lane_numbers __attribute__((vector_size({style.genome.width // 8})));

/* Element r of vector q becomes element q of vector r. */
static inline __attribute__((always_inline)) void transpose(vec *t)
{{
{indent(chr(10).join(rounds), 1)}
}}"""


def pack_b(style: PrintContext) -> str:
    """Copies B so that the register tile streams it."""
    if not style.vector:
        return _copy_rows(style) if style.genome.packing == "b" else ""
    columns, why, before, width = "", "", "", "NR"
    row = "memcpy(to, B, NR * sizeof *to);"
    if style.partial:
        columns, why = ", int cols", "; missing columns are zeros"
        if style.narrow:
            width, before = "width", "const int width = (cols + LANES - 1) / LANES * LANES;\n"
            why = ", an edge as many vectors as it needs"
        row = _PADDED_ROW.replace("WIDTH", width)
    body = before + loop(f"for (int p = 0; p < kc; p++, B += ldb, to += {width})", *_next_panel(style), row)
    return f"""\
/* A panel of NR columns, row after row: the tile reads B with unit stride{why}. */
static void pack_b(int kc{columns}, const {style.real} *restrict B, int ldb, {style.real} *restrict to)
{{
{indent(body, 1)}
}}"""


def _next_panel(style: PrintContext) -> list[str]:
    """Prefetches of a row of the panel that is packed next: its rows lie too far apart for the hardware to see them."""
    choice = style.genome.prefetch_b
    if choice is None or choice.ahead:
        return []
    if style.tile[1] <= style.line:
        return [prefetch(style, "b", "B + NR")]
    over = f"for (int j = NR; j < 2 * NR; j += {style.line})"
    return [loop(over, prefetch(style, "b", "B + j"))]


_PADDED_ROW = """\
if (cols == NR) {
    memcpy(to, B, NR * sizeof *to);
} else {
    memset(to, 0, WIDTH * sizeof *to);
    memcpy(to, B, cols * sizeof *to);
}"""


def _copy_rows(style: PrintContext) -> str:
    return f"""\
/* Rows of a matrix set side by side: no two of them share a cache set, and they take few TLB entries. */
static void copy(int rows, int cols, const {style.real} *restrict from, int ld, {style.real} *restrict to)
{{
    for (int r = 0; r < rows; r++)
        memcpy(to + (ptrdiff_t)r * cols, from + (ptrdiff_t)r * ld, cols * sizeof *to);
}}"""
