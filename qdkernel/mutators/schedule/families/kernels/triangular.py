"""The triangular solve trsv."""

from __future__ import annotations

from qdkernel.mutators.schedule.c_text import loop
from qdkernel.mutators.schedule.families.family import Family, both
from qdkernel.mutators.schedule.families.kernels.elementwise import first_index
from qdkernel.mutators.schedule.families.kernels.matrix_vector import row_functions
from qdkernel.mutators.schedule.families.style import UNROLL, Style, function

_PARAMETERS = "int lower, int trans, int unit, int n, const double *restrict A, int lda, double *restrict x, int incx"

_PLAIN = """\
/* Substitution, element by element. */
static void plain(int lower, int trans, int unit, int n, const double *restrict A, ptrdiff_t lda, double *restrict x,
                  ptrdiff_t incx)
{
    const ptrdiff_t down = trans ? 1 : lda, along = trans ? lda : 1;
    const int backward = trans ? lower : !lower;
    for (int step = 0; step < n; step++) {
        const int i = backward ? n - 1 - step : step;
        const int first = backward ? i + 1 : 0, last = backward ? n : i;
        double rest = x[i * incx];
#pragma omp simd if(0) reduction(- : rest)
        for (int j = first; j < last; j++)
            rest -= A[i * down + j * along] * x[j * incx];
        x[i * incx] = unit ? rest : rest / A[i * down + i * along];
    }
}"""


def trsv(style: Style) -> list[str]:
    """Blocks of rows: what the elements known before add to a block is a product that threads share."""
    together = loop(
        "for (int i = 0; i < whole; i += ROWS)",
        "double sums[ROWS];",
        "rows_times(known, a + (ptrdiff_t)i * lda, lda, x, sums);",
        UNROLL + loop("for (int r = 0; r < ROWS; r++)", "to[i + r] -= sums[r];"),
    )
    product = function(
        "static void subtract(int rows, int known, const double *restrict a, ptrdiff_t lda, const double *restrict x, "
        "double *restrict to)",
        "const int whole = rows / ROWS * ROWS;",
        style.share() + together,
        loop("for (int i = whole; i < rows; i++)", "to[i] -= row_times(known, a + (ptrdiff_t)i * lda, x);"),
        comment="The known elements times the rows of a block.",
    )
    main = function(
        f"void {style.family.function}({_PARAMETERS})",
        loop(
            "if (trans || incx != 1)",
            f"plain(lower, trans, unit, n, A, lda, x + ({first_index('x')}), incx);",
            "return;",
        ),
        loop(
            "for (int done = 0; done < n; done += TILE)",
            "const int rows = (int)min(TILE, n - done), top = lower ? done : n - done - rows;",
            "const int left = lower ? 0 : top + rows;",
            "subtract(rows, done, A + (ptrdiff_t)top * lda + left, lda, x + left, x + top);",
            "plain(lower, 0, unit, rows, A + (ptrdiff_t)top * lda + top, lda, x + top, 1);",
        ),
    )
    return [style.c(text) for text in (*row_functions(style), _PLAIN, product, main)]


FAMILIES = tuple(
    Family(
        function=name,
        summary="x = op(A)^-1 x, A triangular",
        real=real,
        sections=trsv,
        blockings=("cache", "cache+register"),
        tiles=range(16, 513, 8),
        tile_meaning="rows of a block that is solved by itself",
        most_rows=8,
        most_vectors=4,
    )
    for name, real in both("dtrsv")
)
"""The triangular solve in both precisions."""
