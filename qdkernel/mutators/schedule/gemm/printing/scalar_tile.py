"""The micro-kernel of the printed kernel in scalar arithmetic."""

from __future__ import annotations

import textwrap

from qdkernel.mutators.schedule.c_text import indent
from qdkernel.mutators.schedule.gemm.printing.style import PrintContext, prefetch, unroll, update
from qdkernel.mutators.schedule.gemm.printing.tiles import prefetch_c


def scalar_tile(style: PrintContext) -> str:
    """A column of C over ``kc`` steps of k."""
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
            *(indent(line, 1) for line in prefetch_c(style)),
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
