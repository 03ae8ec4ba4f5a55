"""The loop nests of the printed kernel that copy operands into contiguous panels first."""

from __future__ import annotations

from qdkernel.mutators.schedule.c_text import indent, loop
from qdkernel.mutators.schedule.gemm.genome import LEAST_SHARED
from qdkernel.mutators.schedule.gemm.printing.style import PrintContext, schedule

_KEEP = "pc == 0 ? beta : 1"
_ALIGNED = "__attribute__((aligned(64)))"


def multiply(style: PrintContext) -> str:
    """The product of a part of the operands by one thread; nothing where threads share the panels of B."""
    if style.genome.threads == "rows":
        return ""
    real = style.real
    panels = (f", {real} *packed_a" if style.genome.packing == "ab" else "") + f", {real} *packed_b"
    nest = loop(
        "for (int jc = 0; jc < n; jc += NC)",
        "const int nc = min(NC, n - jc);",
        _depth_loop(style, "", loop("for (int ic = 0; ic < m; ic += MC)", *_block_of_rows(style, "m"))),
    )
    return f"""\
/* C = alpha * A * B + beta * C by one thread: the five loops of Goto and van de Geijn (2008). */
static void multiply(int m, int n, int k, {real} alpha, const {real} *A, int lda, const {real} *B, int ldb,
                     {real} beta, {real} *C, int ldc{panels})
{{
{indent(nest, 1)}
}}"""


def packed_nest(style: PrintContext) -> str:
    """Shares of C, or of k, for the threads."""
    return {"serial": _serial, "rows": _rows, "columns": _columns, "grid": _grid, "depth": _depth}[
        style.genome.threads
    ](style)


def direct_call(style: PrintContext) -> str:
    """A small product, in shares of columns or of rows where it is large enough for more than one thread."""
    if style.genome.threads == "serial" or style.genome.small <= LEAST_SHARED:
        return "direct(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);"
    if style.genome.threads == "columns":
        share = "const int j0 = cut(n, NR, id, threads), j1 = cut(n, NR, id + 1, threads);"
        call = "direct(m, j1 - j0, k, alpha, A, lda, B + j0, ldb, beta, C + j0, ldc);"
    else:
        share = "const int i0 = cut(m, MR, id, threads), i1 = cut(m, MR, id + 1, threads);"
        moved = ("A + (ptrdiff_t)i0 * lda", "C + (ptrdiff_t)i0 * ldc")
        call = f"direct(i1 - i0, n, k, alpha, {moved[0]}, lda, B, ldb, beta, {moved[1]}, ldc);"
    condition = f" if ((double)m * n * k > {LEAST_SHARED}) /* else waking the others takes longer than the product */"
    return _region(_TEAM, share, call, condition=condition)


def buffers(style: PrintContext) -> list[str]:
    """The panels that outlive a call: fresh memory would fault page by page, every time."""
    lines = []
    if not style.private_b:
        lines.append(f"static {style.real} packed_b[KC * NC] {_ALIGNED};")
    if style.genome.packing == "ab" and style.genome.threads == "serial":
        lines.append(f"static {style.real} packed_a[{_a_elements(style)}] {_ALIGNED};")
    if style.genome.threads == "depth":
        lines.append(f"static {style.real} partial[SUMS];")
    if lines:
        lines[0] += " /* static: fresh memory would fault at every call */"
    return lines


def cut() -> str:
    """Where a thread's share begins."""
    return """\
/* Where share `id` of `shares` begins in an extent that is cut into whole units. */
static inline int cut(int extent, int unit, int id, int shares)
{
    return min(extent, (extent + unit - 1) / unit * id / shares * unit);
}"""


def _a_elements(style: PrintContext) -> str:
    """Elements of a block of A; the transposed vectors of its last panel may run over."""
    return "MC * KC" + (" + LANES" if style.packed_a and style.tile[0] % style.lanes else "")


def _limits(style: PrintContext) -> tuple[str, str]:
    """Rows and columns that the packed nest covers; ``rest`` takes the others."""
    return "m0" if style.whole_rows else "m", "n0" if style.whole_columns else "n"


def _units(style: PrintContext) -> tuple[str, str]:
    """What shares of rows and columns are multiples of."""
    return "MR", "NR" if style.vector else "8"


def _private_panels(style: PrintContext) -> list[str]:
    lines = [f"{style.real} packed_b[KC * NC] {_ALIGNED}; /* each thread packs for itself: no barrier */"]
    if style.genome.packing == "ab":
        lines.append(f"{style.real} packed_a[{_a_elements(style)}] {_ALIGNED};")
    return lines


def _call(style: PrintContext, rows: str, columns: str, i: str = "", j: str = "") -> str:
    """Multiplies a part of C that starts at row ``i`` and column ``j``."""
    a = f"A + (ptrdiff_t){i} * lda" if i else "A"
    b = f"B + {j}" if j else "B"
    c = "C" + (f" + (ptrdiff_t){i} * ldc" if i else "") + (f" + {j}" if j else "")
    return f"multiply({rows}, {columns}, k, alpha, {a}, lda, {b}, ldb, beta, {c}, ldc{_panels(style)});"


def _panels(style: PrintContext) -> str:
    return (", packed_a" if style.genome.packing == "ab" else "") + ", packed_b"


def _serial(style: PrintContext) -> str:
    return _call(style, *_limits(style))


def _columns(style: PrintContext) -> str:
    rows, columns = _limits(style)
    if style.cuts_shares:
        unit = _units(style)[1]
        share = [
            *_private_panels(style),
            _TEAM,
            f"const int j0 = cut({columns}, {unit}, id, threads), j1 = cut({columns}, {unit}, id + 1, threads);",
            _call(style, rows, "j1 - j0", j="j0"),
        ]
        return _region(*share)
    header = f"#pragma omp parallel for {schedule(style)}\nfor (int j = 0; j < {columns}; j += NC)"
    return loop(header, *_private_panels(style), _call(style, rows, f"min(NC, {columns} - j)", j="j"))


_TEAM = "const int threads = omp_get_num_threads(), id = omp_get_thread_num();"


def _region(*statements: str, condition: str = "") -> str:
    """A parallel region; the opening brace has a line of its own, as OpenMP asks for."""
    return "\n".join([f"#pragma omp parallel{condition}", "{", *(indent(each, 1) for each in statements), "}"])


def _grid(style: PrintContext) -> str:
    """Threads stand in a grid over C; which grid depends on the shape of C."""
    rows, columns = _limits(style)
    high, wide = _units(style)
    return _region(
        *_private_panels(style),
        _TEAM,
        "int across = 1; /* shares side by side: so many that the fewest elements are packed more than once */",
        loop(
            "for (int t = 2; t <= threads; t++)",
            f"const double now = (double){rows} * across + (double){columns} * threads / across;",
            loop(f"if (threads % t == 0 && (double){rows} * t + (double){columns} * threads / t < now)", "across = t;"),
        ),
        "const int row = id / across, column = id % across, down = threads / across;",
        f"const int i0 = cut({rows}, {high}, row, down), i1 = cut({rows}, {high}, row + 1, down);",
        f"const int j0 = cut({columns}, {wide}, column, across);",
        f"const int j1 = cut({columns}, {wide}, column + 1, across);",
        _call(style, "i1 - i0", "j1 - j0", "i0", "j0"),
    )


def _depth(style: PrintContext) -> str:
    """Threads share k and add up their sums at the end; where those would be too many, they share the rows.

    Sums are added down the columns, or GCC would use wider vectors than the genome has.
    """
    (rows, columns), real = _limits(style), style.real
    add = f"C[(ptrdiff_t)i * ldc + j] += partial[((ptrdiff_t)t * {rows} + i) * {columns} + j];"
    return _region(
        *_private_panels(style),
        _TEAM,
        f"const int deep = (double)(threads - 1) * {rows} * {columns} <= SUMS; /* else threads share the rows */",
        f"const int i0 = deep ? 0 : cut({rows}, MR, id, threads);",
        f"const int i1 = deep ? {rows} : cut({rows}, MR, id + 1, threads);",
        "const int p0 = deep ? cut(k, 8, id, threads) : 0, p1 = deep ? cut(k, 8, id + 1, threads) : k;",
        "const int apart = deep && id > 0; /* the first thread adds to C itself */",
        f"{real} *own = partial + (ptrdiff_t)(apart ? id - 1 : 0) * {rows} * {columns};",
        f"multiply(i1 - i0, {columns}, p1 - p0, alpha, A + (ptrdiff_t)i0 * lda + p0, lda, B + (ptrdiff_t)p0 * ldb,\n"
        f"         ldb, apart ? 0 : beta, apart ? own : C + (ptrdiff_t)i0 * ldc, apart ? {columns} : ldc"
        f"{_panels(style)});",
        "#pragma omp barrier",
        loop(
            f"#pragma omp for schedule(static)\nfor (int j = 0; j < {columns}; j++)",
            loop("for (int t = 0; t < threads - 1 && deep; t++)", loop(f"for (int i = 0; i < {rows}; i++)", add)),
        ),
    )


def _rows(style: PrintContext) -> str:
    """Threads share the rows; all of them pack B, and wait for one another."""
    rows, columns = _limits(style)
    share = []
    if style.genome.packing == "ab":
        share.append(f"{style.real} packed_a[{_a_elements(style)}] {_ALIGNED}; /* each thread packs its own rows */")
    if style.cuts_shares:
        share += [_TEAM, f"const int i0 = cut({rows}, MR, id, threads), i1 = cut({rows}, MR, id + 1, threads);"]
        over = loop("for (int ic = i0; ic < i1; ic += MC)", *_block_of_rows(style, "i1"))
        over += "\n#pragma omp barrier /* B may be packed anew */"
    else:
        pragma = f"#pragma omp for {schedule(style)} /* ends in a barrier: B may be packed anew */\n"
        over = loop(f"{pragma}for (int ic = 0; ic < {rows}; ic += MC)", *_block_of_rows(style, rows))
    shared = "#pragma omp for schedule(static) /* ends in a barrier: all of B is packed */\n"
    nest = loop(
        f"for (int jc = 0; jc < {columns}; jc += NC)",
        f"const int nc = min(NC, {columns} - jc);",
        _depth_loop(style, shared, over),
    )
    return _region(*share, nest)


def _depth_loop(style: PrintContext, shared: str, over_rows: str) -> str:
    return loop(
        "for (int pc = 0; pc == 0 || pc < k; pc += KC)",
        "const int kc = min(KC, k - pc);",
        f"const {style.real} keep = {_KEEP}; /* k = 0 still applies beta */",
        "" if style.genome.stream else _pack_b(style, shared),
        over_rows,
    )


def _pack_b(style: PrintContext, shared: str) -> str:
    """Packs KC x NC of B."""
    source = "B + (ptrdiff_t)pc * ldb + jc"
    if not style.vector:
        pragma = "#pragma omp single /* the others wait until B is packed */\n" if shared else ""
        return f"{pragma}copy(kc, nc, {source}, ldb, packed_b);"
    columns = ", min(NR, nc - j)" if style.partial else ""
    call = f"pack_b(kc{columns}, {source} + j, ldb, packed_b + j * kc);"
    return loop(f"{shared}for (int j = 0; j < nc; j += NR)", call)


def _block_of_rows(style: PrintContext, end: str) -> tuple[str, ...]:
    """What is done for the MC rows of A from ``ic`` on."""
    statements = [f"const int mc = min(MC, {end} - ic);", f"const {style.real} *a = A + (ptrdiff_t)ic * lda + pc;"]
    a, b = "a, lda", "packed_b" if style.vector else "packed_b, nc"
    if style.genome.packing == "ab":
        statements.append(_pack_a(style))
        a = "packed_a" if style.vector else "packed_a, kc"
    source = ", ic == 0 ? B + (ptrdiff_t)pc * ldb + jc : NULL, ldb, m > MC ? kc : 0" if style.genome.stream else ""
    statements.append(f"block(mc, nc, kc, alpha, {a}, {b}, keep, C + (ptrdiff_t)ic * ldc + jc, ldc{source});")
    return tuple(statements)


def _pack_a(style: PrintContext) -> str:
    if not style.vector:
        return "copy(mc, kc, a, lda, packed_a);"
    if style.narrow:
        return loop(
            "for (int i = 0, rows; i < mc; i += rows)",
            "rows = tile_rows(mc - i);",
            "pack_a(kc, rows, a + (ptrdiff_t)i * lda, lda, packed_a + i * kc);",
        )
    rows = ", min(MR, mc - i)" if style.padded_panels else ""
    call = f"pack_a(kc{rows}, a + (ptrdiff_t)i * lda, lda, packed_a + i * kc);"
    return loop("for (int i = 0; i < mc; i += MR)", call)
