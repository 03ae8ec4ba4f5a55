"""The micro-kernel of the printed kernel: a register tile of C in vectors, and what runs it over a block."""

from __future__ import annotations

from qdkernel.mutators.schedule.c_text import indent, loop
from qdkernel.mutators.schedule.gemm.genome import UNROLLS
from qdkernel.mutators.schedule.gemm.printing import upright
from qdkernel.mutators.schedule.gemm.printing.style import INLINE, PrintContext, prefetch, update


def tile(style: PrintContext) -> str:
    """One register tile of C over ``kc`` steps of k; its size is constant wherever it is inlined."""
    real = style.real
    kept = ", int kept_rows, int kept_cols" if style.padded_panels else ", int kept_cols" if style.narrow else ""
    is_upright = style.genome.upright
    lines, row_a = ("columns", "") if is_upright else ("rows", "ptrdiff_t row_a, ")
    body = [
        f"vec sum[{_short_side(style)}][NV] = {{0}};",
        *prefetch_c(style),
        *_depth_loops(style),
        upright.store(style) if is_upright else _store(style),
    ]
    return f"""\
{_store_part(style) if style.partial else ""}{upright.step(style) if is_upright else _step(style)}

/* A tile of {lines} x vectors of C over kc steps of k: the sums never leave the registers. */
{INLINE}
tile(const int {lines}, const int vectors, int kc, const {real} *restrict a, {row_a}ptrdiff_t step_a,
     const {real} *restrict b, ptrdiff_t step_b, {real} alpha, {real} beta, {real} *restrict c, int ldc{kept})
{{
{indent(chr(10).join(body), 1)}
}}"""


def _short_side(style: PrintContext) -> str:
    """The side of a tile that is not in vectors."""
    return "NR" if style.genome.upright else "MR"


def _step(style: PrintContext) -> str:
    return f"""\
/* One step of k: each row of A times a row of B. Inlined, its loops are straight code. */
{INLINE}
step(const int rows, const int vectors, vec (*sum)[NV], const {style.real} *a, ptrdiff_t row_a, const {style.real} *b)
{{
    const vec *row = (const vec *)b;
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            sum[r][v] += a[r * row_a] * row[v];
}}"""


def _depth_loops(style: PrintContext) -> list[str]:
    """The loop over k, unrolled by hand: what GCC unrolls of itself it also reorders, and spills sums."""
    sizes, row_a = ("columns, vectors", "") if style.genome.upright else ("rows, vectors", ", row_a")
    one = f"step({sizes}, sum, a{row_a}, b);"
    if style.genome.unroll == 1:
        return [loop("for (int p = 0; p < kc; p++, a += step_a, b += step_b)", *_prefetch_ab(style, ""), one)]
    some = loop(
        f"#pragma GCC unroll {UNROLLS[-1]}\nfor (int u = 0; u < UNROLL; u++)",
        *_prefetch_ab(style, "u + "),
        f"step({sizes}, sum, a + u * step_a{row_a}, b + u * step_b);",
    )
    unrolled = loop("for (; p + UNROLL <= kc; p += UNROLL, a += UNROLL * step_a, b += UNROLL * step_b)", some)
    if style.narrow:  # unrolled edges would double the time that the compiler takes
        unrolled = loop("if (rows == MR && vectors == NV) /* edges take too little time to unroll them */", unrolled)
    return [
        "int p = 0;",
        unrolled,
        loop("for (; p < kc; p++, a += step_a, b += step_b)", one),
    ]


def _prefetch_ab(style: PrintContext, ahead: str) -> list[str]:
    """Prefetches of one step of k; for A a distance of 0 stands for the same place in the next panel, kc steps on."""
    genome, lines = style.genome, []
    if genome.prefetch_a is not None:
        distance = f"({ahead}{'AHEAD_A' if genome.prefetch_a.ahead else '(ptrdiff_t)kc'}) * step_a"
        if genome.packing == "ab":
            lines.append(prefetch(style, "a", f"a + {distance}"))
        else:
            lines.append(loop("for (int r = 0; r < rows; r++)", prefetch(style, "a", f"a + r * row_a + {distance}")))
    if genome.prefetch_b is not None and genome.prefetch_b.ahead:
        distance = f"({ahead}AHEAD_B) * step_b"
        fetch = prefetch(style, "b", f"b + {distance}")
        if style.tile[1] > style.line:
            over = f"for (int j = 0; j < {_columns(style)}; j += {style.line})"
            fetch = loop(over, prefetch(style, "b", f"b + {distance} + j"))
        lines.append(fetch)
    return lines


def prefetch_c(style: PrintContext) -> list[str]:
    """Prefetches of the rows of C that a tile will update, or of a tile that comes later."""
    choice = style.genome.prefetch_c
    if choice is None:
        return []
    rows = "rows" if style.vector and not style.genome.upright else "MR"
    ahead = ""
    if choice.ahead:
        inner_j = style.genome.order.startswith("i")
        step = ("NR" if style.vector else "1") if inner_j else "MR * ldc"
        ahead = f" + AHEAD_C * {step}"
    row = f"c{ahead} + (ptrdiff_t)r * ldc"
    header = f"for (int r = 0; r < {rows}; r++) /* C arrives while k is summed */"
    if style.tile[1] > style.line:
        over = f"for (int j = 0; j < {_columns(style)}; j += {style.line})"
        return [loop(header, loop(over, prefetch(style, "c", row + " + j")))]
    return [loop(header, prefetch(style, "c", row))]


def _columns(style: PrintContext) -> str:
    return "NR" if style.genome.upright else "vectors * LANES"


def _store(style: PrintContext) -> str:
    """The update of C: with beta = 0 the old contents, possibly NaN, are not read."""
    whole = [
        _each_sum(f"{_C_VECTOR} = alpha * sum[r][v];"),
        _each_sum(f"{_C_VECTOR} = alpha * sum[r][v] + beta * {_C_VECTOR};"),
    ]
    lines = [loop("if (beta == 0)", whole[0]), loop("else", whole[1])]
    if style.partial:
        lines.insert(0, _partial_store(style))
    return "\n".join(lines)


_C_VECTOR = "((vec *)(c + (ptrdiff_t)r * ldc))[v]"


def _each_sum(statement: str) -> str:
    """A statement for every sum of a tile, as straight code: sums that are indexed would have to lie in memory."""
    return f"""\
#pragma GCC unroll 16
for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
        {statement}"""


def _partial_store(style: PrintContext) -> str:
    rows, missing = "rows", "kept_cols < vectors * LANES"
    if style.padded_panels:
        rows, missing = "kept_rows", f"kept_rows < rows || {missing}"
    else:  # an update of its own in each edge would take the compiler a third longer
        missing = f"rows < MR || vectors < NV || {missing}"
    return loop(
        f"if ({missing})",
        f"{style.real} whole[MR * NR]; /* the panels are padded, C is not */",
        _each_sum("((vec *)(whole + r * NR))[v] = sum[r][v];"),
        f"store_part({rows}, kept_cols, whole, alpha, beta, c, ldc);",
        "return;",
    )


def _store_part(style: PrintContext) -> str:
    """The update of fewer columns, or rows, than a tile has: whole vectors, then elements.

    Elements come down the columns, or GCC would use wider vectors.
    """
    real, is_upright = style.real, style.genome.upright
    element, begin = ("from[j * MR + r]", "int j = 0") if is_upright else ("from[r * NR + j]", "int j = whole")
    body = loop(
        f"for ({begin}; j < cols; j++)",
        f"{real} *out = c + j;",
        loop("for (int r = 0; r < rows; r++, out += ldc)", update("*out", element)),
    )
    if not is_upright:
        vectors = loop(
            "for (int r = 0; r < rows; r++)",
            loop(
                "for (int j = 0; j < whole; j += LANES)",
                "const vec sum = *(const vec *)(from + r * NR + j);",
                "vec *out = (vec *)(c + (ptrdiff_t)r * ldc + j);",
                update("*out", "sum"),
            ),
        )
        body = f"const int whole = cols / LANES * LANES;\n{vectors}\n{body}"
    return f"""\
/* Updates the part of a tile that C has. */
static __attribute__((noipa)) void
store_part(int rows, int cols, const {real} *from, {real} alpha, {real} beta, {real} *c, int ldc)
{{
{indent(body, 1)}
}}

"""


def edge(style: PrintContext) -> str:
    """Kernels for the edges of C: fewer rows, powers of two, or fewer vectors."""
    genome, real = style.genome, style.real
    heights = [("MR", genome.vectors - 1), *((f"{rows}", genome.vectors) for rows in style.edge_rows)]
    cases = "\n".join(
        "    " + " ".join(f"EDGE({rows}, {vectors})" for vectors in range(widest, 0, -1))
        for rows, widest in heights
        if widest
    )
    kept, given = (", int kept_cols", ", kept_cols") if style.narrow else ("", "")
    if style.padded_panels:
        kept, given = "", ", rows, vectors * LANES"
    return f"""\
/* Rows of the next tile: MR, or the largest power of two that is left. */
static inline int tile_rows(int left)
{{
    int rows = MR;
    while (rows > left)
        rows = rows == MR ? {style.edge_rows[0] if style.edge_rows else 0} : rows / 2;
    return rows;
}}

/* The edges of C have kernels of their own: fewer rows, fewer vectors. */
static void edge(int rows, int vectors, int kc, const {real} *a, ptrdiff_t row_a, ptrdiff_t step_a, const {real} *b,
                 ptrdiff_t step_b, {real} alpha, {real} beta, {real} *c, int ldc{kept})
{{
#define EDGE(R, V) \\
    case 8 * (R) + (V): \\
        tile(R, V, kc, a, row_a, step_a, b, step_b, alpha, beta, c, ldc{given}); \\
        break;
    switch (8 * rows + vectors) {{
{cases}
    }}
}}"""


def direct(style: PrintContext) -> str:
    """A small product on the operands where they lie."""
    real = style.real
    whole = ", MR, NR" if style.padded_panels else ", NR" if style.narrow else ""
    kept = ", vectors * LANES" if style.narrow else ""
    strides = "A + (ptrdiff_t)i * lda, lda, 1, B + j, ldb, alpha, beta, C + (ptrdiff_t)i * ldc + j, ldc"
    body = loop(
        "for (int j = 0; j < n; j += NR)",
        "const int vectors = min(NR, n - j) / LANES;",
        loop(
            "for (int i = 0, rows; i < m; i += rows)",
            "rows = tile_rows(m - i);",
            loop("if (rows == MR && vectors == NV)", f"tile(MR, NV, k, {strides}{whole});"),
            loop("else", f"edge(rows, vectors, k, {strides}{kept});"),
        ),
    )
    return f"""\
/* A small product, on the operands where they lie: packing them would cost more than it saves. n is whole vectors. */
static void direct(int m, int n, int k, {real} alpha, const {real} *A, int lda, const {real} *B, int ldb,
                   {real} beta, {real} *C, int ldc)
{{
{indent(body, 1)}
}}"""


def block(style: PrintContext) -> str:
    """The loops over register tiles inside a block of packed panels."""
    genome, real = style.genome, style.real
    by_rows = genome.order.startswith("i")
    stays, streams = ("A", "B") if by_rows else ("B", "A")
    loops = [_rows_loop(style), _columns_loop(style)]
    outer, inner = loops if by_rows else reversed(loops)
    columns = ", cols" if style.partial else ""
    first = [_FIRST_USE.replace(", COLS", columns)] if genome.stream else []
    body = loop(outer[0], *outer[1:], *first, loop(inner[0], *inner[1:], *_tile_call(style)))
    lda = "" if style.packed_a else ", int lda"
    ldb = "" if style.vector else ", int ldb"
    source, constant = (f", const {real} *B, int ldb, int apart", "") if genome.stream else ("", "const ")
    header = (
        f"static void block(int mc, int nc, int kc, {real} alpha, const {real} *a{lda}, {constant}{real} *b{ldb},\n"
        f"                  {real} beta, {real} *C, int ldc{source})"
    )
    why = f"A block of C, tile by tile: a panel of {stays} stays in L1 while {streams} streams"
    return f"/* {why}. */\n" + loop(header, body, function=True)


_FIRST_USE = """\
if (B) /* not packed yet; a panel that is used once only lies where the last one did */
    pack_b(kc, COLS, B + j, ldb, b + j * apart);"""


def _rows_loop(style: PrintContext) -> tuple[str, ...]:
    if style.narrow:
        return ("for (int i = 0, rows; i < mc; i += rows)", "rows = tile_rows(mc - i);")
    return ("for (int i = 0; i < mc; i += MR)",)


def _columns_loop(style: PrintContext) -> tuple[str, ...]:
    if not style.vector:
        return ("for (int j = 0; j < nc; j++)",)
    return ("for (int j = 0; j < nc; j += NR)", *(["const int cols = min(NR, nc - j);"] if style.partial else []))


def _tile_call(style: PrintContext) -> tuple[str, ...]:
    """The C that runs the tile at (i, j) of a block."""
    where = "alpha, beta, C + (ptrdiff_t)i * ldc + j, ldc"
    if not style.vector:
        return (f"tile(kc, a + (ptrdiff_t)i * lda, lda, b + j, ldb, {where});",)
    a = "a + i * kc, 1, " if style.packed_a else "a + (ptrdiff_t)i * lda, lda, "
    if style.genome.upright:
        a = "a + i * kc, "
    step_a = "MR" if style.packed_a else "1"
    b = f"b + j * {'apart' if style.genome.stream else 'kc'}, "
    if not style.narrow:
        rows = "min(MR, mc - i)" if style.packed_a else "MR"
        kept = f", {rows}, cols" if style.padded_panels else ""
        return (f"tile({_short_side(style)}, NV, kc, {a}{step_a}, {b}NR, {where}{kept});",)
    edge_step = "rows" if style.packed_a else "1"
    vectors = "(cols + LANES - 1) / LANES"
    return (
        f"const int vectors = {vectors};",
        loop("if (rows == MR && vectors == NV)", f"tile(MR, NV, kc, {a}{step_a}, {b}NR, {where}, cols);"),
        loop("else", f"edge(rows, vectors, kc, {a}{edge_step}, {b}vectors * LANES, {where}, cols);"),
    )
