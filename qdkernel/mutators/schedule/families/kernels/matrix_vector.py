"""The matrix-vector product gemv and the rank-1 update ger."""

from __future__ import annotations

from qdkernel.mutators.schedule.c_text import loop
from qdkernel.mutators.schedule.families.family import Family, both
from qdkernel.mutators.schedule.families.kernels.elementwise import Update, first_index, update_function
from qdkernel.mutators.schedule.families.style import SCALAR, UNROLL, Style, function

_GEMV = (
    "int trans, int m, int n, double alpha, const double *restrict A, int lda, const double *restrict x, int incx, "
    "double beta, double *restrict y, int incy"
)
_GER = (
    "int m, int n, double alpha, const double *restrict x, int incx, const double *restrict y, int incy, "
    "double *restrict A, int lda"
)


def gemv(style: Style) -> list[str]:
    """Rows of A times x, some rows together, in tiles of columns; other cases row by row."""
    row = "A + (ptrdiff_t)i * lda + left"
    at = "y[y_first + (ptrdiff_t)(i + r) * incy]"
    whole = loop(
        "for (int i = 0; i < m / ROWS * ROWS; i += ROWS)",
        "double sums[ROWS];",
        f"rows_times(count, {row}, lda, x + left, sums);",
        UNROLL + loop("for (int r = 0; r < ROWS; r++)", f"{at} += alpha * sums[r];"),
    )
    rest = loop(
        "for (int i = m / ROWS * ROWS; i < m; i++)",
        f"{at.replace('(i + r)', 'i')} += alpha * row_times(count, {row}, x + left);",
    )
    product = [style.share() + whole, rest]
    tiled = style.genome.tiled
    if tiled:
        nest = [
            loop("for (int left = 0; left < n; left += TILE)", "const int count = (int)min(TILE, n - left);", *product)
        ]
    else:
        nest = ["const int left = 0, count = n;", *product]
    main = function(
        f"void {style.family.function}({_GEMV})",
        "const int rows = trans ? n : m, terms = trans ? m : n;",
        f"const ptrdiff_t x_first = {first_index('x', 'terms')};",
        f"const ptrdiff_t y_first = {first_index('y', 'rows')};",
        loop(
            "for (ptrdiff_t i = 0; i < rows; i++)",
            "double *at = y + y_first + i * incy;",
            "*at = beta == 0 ? 0 : beta * *at;",
        ),
        loop("if (alpha == 0)", "return;"),
        loop("if (!trans && incx == 1)", *nest, "return;"),
        loop(
            "for (int i = 0; i < m; i++)",
            "const double *row = A + (ptrdiff_t)i * lda;",
            "const double factor = trans ? alpha * x[x_first + (ptrdiff_t)i * incx] : 0;",
            "double sum = 0;",
            loop("if (trans && incy == 1)", "update(n, factor, row, y);", "")
            + loop(
                "\nelse if (trans)",
                SCALAR + loop("for (int j = 0; j < n; j++)", "y[y_first + (ptrdiff_t)j * incy] += factor * row[j];"),
                "",
            )
            + loop(
                "\nelse",
                "#pragma omp simd if(0) reduction(+ : sum)\n"
                + loop("for (int j = 0; j < n; j++)", "sum += row[j] * x[x_first + (ptrdiff_t)j * incx];"),
                "y[y_first + (ptrdiff_t)i * incy] += alpha * sum;",
            ),
        ),
    )
    return [
        *update_function(style, _ADDED_ROW, tiled=False),
        *(style.c(text) for text in (*row_functions(style), main)),
    ]


def row_functions(style: Style) -> list[str]:
    """The functions ``row_times`` and ``rows_times``: one row, and ``ROWS`` rows, times a contiguous vector."""
    one = function(
        "static double row_times(int n, const double *restrict row, const double *restrict x)",
        "double sum = 0;",
        "#pragma omp simd if(0) reduction(+ : sum)\n" + loop("for (int j = 0; j < n; j++)", "sum += row[j] * x[j];"),
        "return sum;",
        comment="A row times a vector, number by number.",
    )
    many = _rows_in_vectors(style) if style.vector else _rows_in_scalars(style)
    return [one, many]


_ROWS_TIMES = (
    "static void rows_times(int n, const double *restrict a, ptrdiff_t lda, const double *restrict x, "
    "double *restrict sums)"
)


def _rows_in_vectors(style: Style) -> str:
    each = "for (int r = 0; r < ROWS; r++)"
    side = "for (int v = 0; v < VECTORS; v++)"
    fetch = style.for_lines("STEP", "a + r * lda + j")
    step = loop(
        side,
        "const vec factor = AT(x + j + v * LANES);",
        UNROLL + loop(each, "sum[r][v] += AT(a + r * lda + j + v * LANES) * factor;"),
    )
    return function(
        _ROWS_TIMES,
        "vec sum[ROWS][VECTORS];",
        UNROLL + loop(each, UNROLL + loop(side, "sum[r][v] = (vec){0};"), ""),
        "int j = 0;",
        loop(
            "for (; j + STEP <= n; j += STEP)", *([UNROLL + loop(each, *fetch, "")] if fetch else []), UNROLL + step, ""
        ),
        UNROLL
        + loop(
            each,
            UNROLL + loop("for (int v = 1; v < VECTORS; v++)", "sum[r][0] += sum[r][v];"),
            "const vec all = sum[r][0];",
            "sums[r] = row_times(n - j, a + r * lda + j, x + j);",
            SCALAR + loop("for (int lane = 0; lane < LANES; lane++)", "sums[r] += all[lane];"),
        ),
        comment="ROWS rows times a vector, which is loaded once: whole steps, then what is left of each row.",
    )


def _rows_in_scalars(style: Style) -> str:
    count = [(r, v) for r in range(style.genome.rows) for v in range(style.genome.vectors)]
    fetch = style.by_line("j", *(f"a + {r} * lda + j" for r in range(style.genome.rows)))
    names = ", ".join(f"sum{r}{v}" for r, v in count)
    steps = [f"sum{r}{v} += a[{r} * lda + j + {v}] * x[j + {v}];" for r, v in count]
    ends = [
        f"sums[{r}] = {' + '.join(f'sum{r}{v}' for v in range(style.genome.vectors))}"
        f" + row_times(n - whole, a + {r} * lda + whole, x + whole);"
        for r in range(style.genome.rows)
    ]
    return function(
        _ROWS_TIMES,
        f"double {', '.join(f'sum{r}{v} = 0' for r, v in count)};",
        "const int whole = n - n % STEP;",
        f"#pragma omp simd if(0) reduction(+ : {names})\n"
        + loop("for (int j = 0; j < whole; j += STEP)", *fetch, *steps, ""),
        *ends,
        comment="ROWS rows times a vector, each in VECTORS sums.",
    )


_ADDED_ROW = Update("", ("row", "y"), {"y": "{y} + factor * {row}"}, ("double factor",))
_ROW_UPDATE = Update("", ("y", "row"), {"row": "{row} + factor * {y}"}, ("double factor",))


def ger(style: Style) -> list[str]:
    """Row by row, each an axpy."""
    row = "A + (ptrdiff_t)i * lda"
    nest = loop("for (int i = 0; i < m; i++)", f"update(n, alpha * x[x_first + (ptrdiff_t)i * incx], y, {row});")
    main = function(
        f"void {style.family.function}({_GER})",
        loop("if (alpha == 0)", "return;"),
        f"const ptrdiff_t x_first = {first_index('x', 'm')};",
        loop("if (incy == 1)", style.share() + nest, "return;"),
        f"const ptrdiff_t y_first = {first_index('y')};",
        loop(
            "for (ptrdiff_t i = 0; i < m; i++)",
            SCALAR
            + loop(
                "for (ptrdiff_t j = 0; j < n; j++)",
                "A[i * lda + j] += alpha * x[x_first + i * incx] * y[y_first + j * incy];",
            ),
        ),
    )
    return [*update_function(style, _ROW_UPDATE, tiled=style.genome.tiled), style.c(main)]


FAMILIES = tuple(
    family
    for (gemv_name, real), (ger_name, _) in zip(both("dgemv"), both("dger"), strict=True)
    for family in (
        Family(
            function=gemv_name,
            summary="y = alpha op(A) x + beta y, A row major",
            real=real,
            sections=gemv,
            blockings=("none", "register", "cache", "cache+register"),
            tiles=range(256, 8193, 128),
            tile_meaning="columns of A for which x stays in cache",
            most_rows=8,
            most_vectors=4,
        ),
        Family(
            function=ger_name,
            summary="A = A + alpha x y', row major",
            real=real,
            sections=ger,
            blockings=("none", "cache"),
            tiles=range(256, 8193, 128),
            tile_meaning="columns of a row that are worked through together",
            streams=True,
        ),
    )
)
"""gemv and ger in both precisions."""
