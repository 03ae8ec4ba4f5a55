"""The helper functions of the printed kernel: register tile, leftovers, packing."""

from __future__ import annotations

import textwrap

from qdkernel.mutators.schedule.c_text import indent, loop
from qdkernel.mutators.schedule.gemm.style import PrintContext, prefetch, unroll, update


def tile(style: PrintContext) -> str:
    """The micro-kernel: one register tile of C over ``kc`` steps of k."""
    return _vector_tile(style) if style.vector else _scalar_tile(style)


def _vector_tile(style: PrintContext) -> str:
    real, packed_a, packed_b = style.real, style.genome.packing == "ab", style.genome.packing != "none"
    a_row = "a[p * MR + r]" if packed_a else "a[(ptrdiff_t)r * lda + p]"
    parameters = [
        f"const {real} *restrict a" + ("" if packed_a else ", int lda"),
        f"const {real} *restrict b" + ("" if packed_b else ", int ldb"),
    ]
    return "\n".join(
        [
            "/* One MR x NR tile of C over kc steps of k: the sums never leave the registers. */",
            f"static inline void tile(int kc, {', '.join(parameters)},",
            f"                        {real} alpha, {real} beta, {real} *restrict c, int ldc)",
            "{",
            "    vec sum[MR][NV] = {0};",
            *_prefetch_c(style),
            *([f"#pragma GCC unroll {style.genome.unroll}"] if style.genome.unroll > 1 else []),
            "    for (int p = 0; p < kc; p++) {",
            *_prefetch_ab(style),
            f"        const vec *row = (const vec *)(b + {_b_row(style, 'p')});",
            "#pragma GCC unroll 16",
            "        for (int r = 0; r < MR; r++)",
            "            for (int v = 0; v < NV; v++)",
            f"                sum[r][v] += {a_row} * row[v];",
            "    }",
            "#pragma GCC unroll 16",
            "    for (int r = 0; r < MR; r++)",
            "        for (int v = 0; v < NV; v++) {",
            "            vec *out = (vec *)(c + (ptrdiff_t)r * ldc) + v;",
            "            " + update("*out", "sum[r][v]"),
            "        }",
            "}",
        ]
    )


def _b_row(style: PrintContext, step: str) -> str:
    return f"{step} * NR" if style.genome.packing != "none" else f"(ptrdiff_t){step} * ldb"


def _prefetch_c(style: PrintContext) -> list[str]:
    choice = style.genome.prefetch_c
    if choice is None:
        return []
    ahead = ""
    if choice.ahead:
        inner_j = style.genome.order.startswith("i")
        step = ("NR" if style.vector else "1") if inner_j else "MR * ldc"
        ahead = f" + AHEAD_C * {step}"
    row = f"c{ahead} + (ptrdiff_t)r * ldc"
    lines = ["    for (int r = 0; r < MR; r++) /* C arrives while k is summed */"]
    if style.genome.vectors * style.lanes > style.line:
        lines.append(f"        for (int j = 0; j < NR; j += {style.line})")
        return [*lines, "            " + prefetch(style, "c", row + " + j")]
    return [*lines, "        " + prefetch(style, "c", row)]


def _prefetch_ab(style: PrintContext) -> list[str]:
    genome, lines = style.genome, []
    if genome.prefetch_a is not None and genome.packing == "ab":
        lines.append("        " + prefetch(style, "a", "a + (p + AHEAD_A) * MR"))
    elif genome.prefetch_a is not None:
        lines += [
            "        for (int r = 0; r < MR; r++)",
            "            " + prefetch(style, "a", "a + (ptrdiff_t)r * lda + p + AHEAD_A"),
        ]
    if genome.prefetch_b is not None:
        row = "b + " + _b_row(style, "(p + AHEAD_B)")
        if genome.vectors * style.lanes > style.line:
            lines.append(f"        for (int j = 0; j < NR; j += {style.line})")
            lines.append("            " + prefetch(style, "b", row + " + j"))
        else:
            lines.append("        " + prefetch(style, "b", row))
    return lines


def _scalar_tile(style: PrintContext) -> str:
    real, genome, rows = style.real, style.genome, range(style.genome.rows)
    fetch = []
    if genome.prefetch_a is not None:
        fetch.append("        for (int r = 0; r < MR; r++)")
        fetch.append("            " + prefetch(style, "a", "a + (ptrdiff_t)r * lda + AHEAD_A"))
    if genome.prefetch_b is not None:
        fetch.append("        " + prefetch(style, "b", "b + at + (ptrdiff_t)AHEAD_B * ldb"))
    starts = ", ".join(f"sum{r} = 0" for r in rows)
    return "\n".join(
        [
            "/* MR rows of one column of C. Walking B by its row stride keeps the sums apart: one register each. */",
            f"static inline void tile(int kc, const {real} *a, int lda, const {real} *b, int ldb,",
            f"                        {real} alpha, {real} beta, {real} *c, int ldc)",
            "{",
            textwrap.fill(f"    {real} {starts};", 110, subsequent_indent=" " * 8),
            *_prefetch_c(style),
            unroll(style) + "    for (ptrdiff_t at = 0; at < (ptrdiff_t)kc * ldb; at += ldb, a++) {",
            *fetch,
            *(f"        sum{r} += a[{_times(r, 'lda')}] * b[at];" for r in rows),
            "    }",
            textwrap.fill(
                f"    const {real} sum[MR] = {{{', '.join(f'sum{r}' for r in rows)}}};", 110, subsequent_indent=" " * 8
            ),
            "    for (int r = 0; r < MR; r++, c += ldc)",
            "        " + update("*c", "sum[r]"),
            "}",
        ]
    )


def _times(count: int, stride: str) -> str:
    return {0: "0", 1: stride}.get(count, f"{count} * (ptrdiff_t){stride}")


def rest(style: PrintContext) -> str:
    """What the tiles leave over, or the whole of a small product: a region of C without tiles or panels."""
    arguments = (
        f"static void rest(int i0, int i1, int j0, int j1, int k, {style.real} alpha, const {style.real} *A, int lda,\n"
        f"                 const {style.real} *B, int ldb, {style.real} beta, {style.real} *C, int ldc)\n"
    )
    body = _padded_rest(style) if style.genome.edges == "padded" else _scalar_rest(style)
    return body.replace("SIGNATURE\n", arguments)


def _scalar_rest(style: PrintContext) -> str:
    return f"""\
/* Rows i0 to i1 and columns j0 to j1 of C, one element at a time. */
SIGNATURE
{{
    for (int i = i0; i < i1; i++)
        for (int j = j0; j < j1; j++) {{
            const {style.real} *a = A + (ptrdiff_t)i * lda;
            {style.real} sum = 0, *c = C + (ptrdiff_t)i * ldc + j;
            for (ptrdiff_t at = j; at < (ptrdiff_t)k * ldb; at += ldb) /* down column j of B */
                sum += *a++ * B[at];
            {update("*c", "sum")}
        }}
}}"""


def _padded_rest(style: PrintContext) -> str:
    return f"""\
/* The first `lanes` elements at p, zeros after them; memory past them is not touched. */
static inline void load(vec *to, const {style.real} *p, int lanes)
{{
    *to = (vec){{0}};
    if (lanes >= LANES)
        *to = *(const vec *)p;
    else
        memcpy(to, p, lanes * sizeof *p);
}}

/* Rows i0 to i1 and columns j0 to j1 of C, a vector at a time; the last one is padded with zeros. */
SIGNATURE
{{
    for (int i = i0; i < i1; i++)
        for (int j = j0; j < j1; j += LANES) {{
            const int lanes = min(LANES, j1 - j);
            {style.real} *c = C + (ptrdiff_t)i * ldc + j;
            vec sum = {{0}}, other;
            for (int p = 0; p < k; p++) {{
                load(&other, B + (ptrdiff_t)p * ldb + j, lanes);
                sum += A[(ptrdiff_t)i * lda + p] * other;
            }}
            load(&other, c, lanes);
            sum = beta == 0 ? alpha * sum : alpha * sum + beta * other;
            memcpy(c, &sum, lanes * sizeof *c);
        }}
}}"""


def pack_a(style: PrintContext) -> str:
    """Copies A so that the register tile streams it."""
    if not style.vector:
        return _copy_rows(style)
    rows = ", int rows" if style.padded_panels else ""
    value = f"r < rows ? {_A_ELEMENT} : 0" if style.padded_panels else _A_ELEMENT
    why = "; missing rows are zeros" if style.padded_panels else ""
    return f"""\
/* A panel of MR rows, column after column: the tile reads A with unit stride{why}. */
static void pack_a(int kc{rows}, const {style.real} *restrict A, int lda, {style.real} *restrict to)
{{
    for (int p = 0; p < kc; p++)
#pragma GCC unroll 16
        for (int r = 0; r < MR; r++)
            to[p * MR + r] = {value};
}}"""


_A_ELEMENT = "A[(ptrdiff_t)r * lda + p]"


def pack_b(style: PrintContext) -> str:
    """Copies B so that the register tile streams it."""
    if not style.vector:
        return _copy_rows(style) if style.genome.packing == "b" else ""
    columns, why = "", ""
    row: tuple[str, ...] = ("memcpy(to, B, NR * sizeof *to);",)
    if style.padded_panels:
        columns, why = ", int cols", "; missing columns are zeros"
        row = (_PADDED_ROW,)
    body = loop("for (int p = 0; p < kc; p++, B += ldb, to += NR)", *row)
    return f"""\
/* A panel of NR columns, row after row: the tile reads B with unit stride{why}. */
static void pack_b(int kc{columns}, const {style.real} *restrict B, int ldb, {style.real} *restrict to)
{{
{indent(body, 1)}
}}"""


_PADDED_ROW = """\
if (cols == NR) {
    memcpy(to, B, NR * sizeof *to);
} else {
    memset(to, 0, NR * sizeof *to);
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


def block(style: PrintContext) -> str:
    """The loops over register tiles inside a block of packed panels; for a 2-D grid of threads, one tile of them."""
    genome, real = style.genome, style.real
    call, lda, ldb = tile_call(style)
    by_rows = genome.order.startswith("i")
    grid = genome.threads == "grid"
    sizes = "int mc, int nc"
    if grid:
        sizes = "int i, int j" + (f", {sizes}" if style.padded_panels else "")
        why = "The tile at row i, column j of a block of C"
        body: tuple[str, ...] = call
    else:
        stays, streams = ("A", "B") if by_rows else ("B", "A")
        why = f"A block of C, tile by tile: a panel of {stays} stays in L1 while {streams} streams"
        loops = ["for (int i = 0; i < mc; i += MR)", f"for (int j = 0; j < nc; {'j += NR' if style.vector else 'j++'})"]
        outer, inner = loops if by_rows else reversed(loops)
        body = (loop(outer, loop(inner, *call)),)
    header = (
        f"static void block({sizes}, int kc, {real} alpha, const {real} *a{lda}, const {real} *b{ldb},\n"
        f"                  {real} beta, {real} *C, int ldc)"
    )
    return f"/* {why}. */\n" + loop(header, *body, function=True)


def tile_call(style: PrintContext) -> tuple[tuple[str, ...], str, str]:
    """The C that runs the tile at (i, j) of a block, and the stride parameters of A and B that it needs."""
    a, lda = ("a + i * kc", "") if style.genome.packing == "ab" and style.vector else (_A_ROW, ", int lda")
    b, ldb = ("b + j * kc", "") if style.vector else ("b + j", ", int ldb")
    strides = f"{a}{', lda' if lda else ''}, {b}{', ldb' if ldb else ''}"
    where = "C + (ptrdiff_t)i * ldc + j"
    if not style.padded_panels:
        return (f"tile(kc, {strides}, alpha, beta, {where}, ldc);",), lda, ldb
    return _padded_tile(style, strides, where), lda, ldb


_A_ROW = "a + (ptrdiff_t)i * lda"


def _padded_tile(style: PrintContext, strides: str, where: str) -> tuple[str, ...]:
    both = style.genome.packing == "ab"  # with A unpacked the rows are whole
    rows = "rows" if both else "MR"
    count = "const int rows = min(MR, mc - i), cols = min(NR, nc - j);" if both else "const int cols = min(NR, nc - j);"
    partial = "rows < MR || cols < NR" if both else "cols < NR"
    return (
        count,
        f"{style.real} *whole = {where}, edge[MR * NR], *c = whole;",
        "int ld = ldc;",
        loop(
            f"if ({partial})",
            "c = edge; /* the panels are padded, C is not: work on a copy of its part */",
            "ld = NR;",
            loop(
                f"for (int r = 0; beta != 0 && r < {rows}; r++)",
                "memcpy(edge + r * NR, whole + (ptrdiff_t)r * ldc, cols * sizeof *c);",
            ),
        ),
        f"tile(kc, {strides}, alpha, beta, c, ld);",
        loop(
            f"for (int r = 0; c == edge && r < {rows}; r++)",
            "memcpy(whole + (ptrdiff_t)r * ldc, edge + r * NR, cols * sizeof *c);",
        ),
    )
