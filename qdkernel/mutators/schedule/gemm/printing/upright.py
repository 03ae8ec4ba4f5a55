"""The parts of a register tile whose vectors lie along the rows of A: columns of C, transposed when they are stored."""

from __future__ import annotations

from qdkernel.mutators.schedule.c_text import loop
from qdkernel.mutators.schedule.gemm.printing.style import INLINE, PrintContext, update


def step(style: PrintContext) -> str:
    """One step of k."""
    real = style.real
    return f"""\
/* One step of k: a column of A times each element of a row of B. Inlined, its loops are straight code. */
{INLINE}
step(const int columns, const int vectors, vec (*sum)[NV], const {real} *a, const {real} *b)
{{
    const vec *column = (const vec *)a;
#pragma GCC unroll 16
    for (int j = 0; j < columns; j++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            sum[j][v] += b[j] * column[v];
}}"""


def store(style: PrintContext) -> str:
    """The update of C; what is no whole group of LANES columns goes element by element."""
    parts = []
    if style.genome.rows >= style.lanes:
        parts.append(_GROUPS)
    if style.genome.rows % style.lanes:
        parts.append(_SINGLES)
    parts = [part.replace("REAL", style.real).replace("UPDATE", update("*out", "value")) for part in parts]
    whole = "\n".join(["#pragma GCC unroll 4", "for (int v = 0; v < vectors; v++) {", *parts, "}"])
    return f"{_partial_store(style)}\n{whole}" if style.partial else whole


_GROUPS = """\
#pragma GCC unroll 16
    for (int j = 0; j + LANES <= NR; j += LANES) {
        vec t[LANES];
#pragma GCC unroll 16
        for (int r = 0; r < LANES; r++)
            t[r] = sum[j + r][v];
        transpose(t);
#pragma GCC unroll 16
        for (int r = 0; r < LANES; r++) {
            vec *out = (vec *)(c + (ptrdiff_t)(v * LANES + r) * ldc + j), value = t[r];
            UPDATE
        }
    }"""
_SINGLES = """\
#pragma GCC unroll 16
    for (int j = NR / LANES * LANES; j < NR; j++)
#pragma GCC unroll 16
        for (int r = 0; r < LANES; r++) {
            REAL *out = c + (ptrdiff_t)(v * LANES + r) * ldc + j, value = sum[j][v][r];
            UPDATE
        }"""


def _partial_store(style: PrintContext) -> str:
    return loop(
        "if (kept_rows < MR || kept_cols < NR)",
        f"{style.real} whole[MR * NR]; /* the panels are padded, C is not */",
        _EACH_SUM,
        "store_part(kept_rows, kept_cols, whole, alpha, beta, c, ldc);",
        "return;",
    )


_EACH_SUM = """\
#pragma GCC unroll 16
for (int j = 0; j < columns; j++)
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++)
        ((vec *)(whole + j * MR))[v] = sum[j][v];"""
