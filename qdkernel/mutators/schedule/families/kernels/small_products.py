"""Register tiles of small products: batches of small matrices, and convolutions."""

from __future__ import annotations

from qdkernel.mutators.schedule.c_text import loop
from qdkernel.mutators.schedule.families.family import Family, both
from qdkernel.mutators.schedule.families.style import UNROLL, Style, function

_BATCH = "int batch, int n, const double *restrict A, const double *restrict B, double *restrict C"
_CONVOLUTION = (
    "int h, int w, int c, int k, int r, const double *restrict x, const double *restrict weight, double *restrict y"
)
_OPERANDS = (
    "int blocks, int terms, const double *restrict a, ptrdiff_t a_row, ptrdiff_t a_block, const double *restrict b, "
    "ptrdiff_t b_row, ptrdiff_t b_block, double *restrict c, ptrdiff_t c_row"
)
_RUNS = "for (int s = 0; s < blocks; s++)"
_TERMS = "for (int p = 0; p < terms; p++)"


def batch(style: Style) -> list[str]:
    """One product of small matrices after the other."""
    nest = loop(
        "for (int number = 0; number < batch; number++)",
        "const ptrdiff_t first = (ptrdiff_t)number * n * n;",
        "panel(n, n, 1, n, A + first, n, 0, B + first, n, 0, C + first, n);",
    )
    main = function(f"void {style.family.function}({_BATCH})", style.share() + nest)
    return [*_panel(style), style.c(main)]


def convolution(style: Style) -> list[str]:
    """A row of output points after the other: a product of points and weights for each row of the filter."""
    nest = loop(
        "for (int i = 0; i < h; i++)",
        "const ptrdiff_t filter_row = (ptrdiff_t)r * c * k;",
        "panel(w, k, r, r * c, x + i * row, c, row, weight, k, filter_row, y + (ptrdiff_t)i * w * k, k);",
    )
    main = function(
        f"void {style.family.function}({_CONVOLUTION})",
        "const ptrdiff_t row = (ptrdiff_t)(w + r - 1) * c; /* of x */",
        style.share() + nest,
    )
    return [*_panel(style), style.c(main)]


def _panel(style: Style) -> list[str]:
    """The functions for a tile, for what tiles leave over, and for all of a product."""
    passed = "blocks, terms, {a}, a_row, a_block, {b}, b_row, b_block, {c}, c_row"
    inner = passed.format(a="a + i * a_row", b="b + j", c="c + i * c_row + j")
    right = passed.format(a="a", b="b + whole", c="c + whole")
    below = passed.format(a="a + i * a_row", b="b", c="c + i * c_row")
    panel = function(
        f"static void panel(int rows, int columns, {_OPERANDS})",
        "const int whole = columns - columns % STEP;",
        "int i = 0;",
        loop(
            "for (; i + ROWS <= rows; i += ROWS)",
            loop("for (int j = 0; j < whole; j += STEP)", f"tile({inner});"),
            "",
        ),
        f"rest(rows - i, whole, {below});",
        f"rest(rows, columns - whole, {right});",
        comment="rows x columns of c: the sum over blocks of rows of a times columns of b.",
    )
    tile = _vector_tile(style) if style.vector else _scalar_tile(style)
    return [style.c(text) for text in (tile, _rest(style), panel)]


def _vector_tile(style: Style) -> str:
    rows, side = "for (int r = 0; r < ROWS; r++)", "for (int v = 0; v < VECTORS; v++)"
    return function(
        f"static inline void tile({_OPERANDS})",
        "vec sum[ROWS][VECTORS];",
        UNROLL + loop(rows, UNROLL + loop(side, "sum[r][v] = (vec){0};"), ""),
        loop(
            _RUNS,
            loop(
                _TERMS,
                "const double *left = a + s * a_block + p, *right = b + s * b_block + p * b_row;",
                *style.for_lines("STEP", "right"),
                UNROLL
                + loop(
                    side,
                    "const vec factor = AT(right + v * LANES);",
                    UNROLL + loop(rows, "sum[r][v] += left[r * a_row] * factor;"),
                ),
            ),
        ),
        UNROLL + loop(rows, UNROLL + loop(side, "AT(c + r * c_row + v * LANES) = sum[r][v];"), ""),
        comment="ROWS x STEP sums in registers.",
    )


def _scalar_tile(style: Style) -> str:
    count = [(r, v) for r in range(style.genome.rows) for v in range(style.genome.vectors)]
    names = ", ".join(f"sum{r}{v}" for r, v in count)
    return function(
        f"static inline void tile({_OPERANDS})",
        f"double {', '.join(f'sum{r}{v} = 0' for r, v in count)};",
        loop(
            _RUNS,
            f"#pragma omp simd if(0) reduction(+ : {names})\n"
            + loop(
                _TERMS,
                "const double *left = a + s * a_block + p, *right = b + s * b_block + p * b_row;",
                *style.prefetches("right"),
                *(f"sum{r}{v} += left[{r} * a_row] * right[{v}];" for r, v in count),
            ),
            "",
        ),
        *(f"c[{r} * c_row + {v}] = sum{r}{v};" for r, v in count),
        comment="ROWS x STEP sums in registers.",
    )


def _rest(style: Style) -> str:
    at = "s * b_block + p * b_row + j"
    vectors = [
        loop(
            "for (; j + LANES <= columns; j += LANES)",
            "vec sum = {0};",
            loop(_RUNS, loop(_TERMS, f"sum += a[s * a_block + p] * AT(b + {at});")),
            "AT(c + j) = sum;",
        )
    ]
    numbers = loop(
        "for (; j < columns; j++)",
        "double sum = 0;",
        loop(
            _RUNS,
            "#pragma omp simd if(0) reduction(+ : sum)\n" + loop(_TERMS, f"sum += a[s * a_block + p] * b[{at}];"),
            "",
        ),
        "c[j] = sum;",
    )
    return function(
        f"static void rest(int rows, int columns, {_OPERANDS})",
        loop(
            "for (int i = 0; i < rows; i++, a += a_row, c += c_row)",
            "int j = 0;",
            *(vectors if style.vector else []),
            numbers,
        ),
        comment="Any rows and columns, one row after the other.",
    )


FAMILIES = tuple(
    Family(
        function=function_name,
        summary=summary,
        real=real,
        sections=sections,
        blockings=("none", "register"),
        most_rows=8,
        most_vectors=4,
    )
    for name, summary, sections in (
        ("dgemm_batch", "C[b] = A[b] B[b], a batch of small square matrices", batch),
        ("dconv2d", "a 2-D convolution, NHWC", convolution),
    )
    for function_name, real in both(name)
)
"""The batched product and the convolution in both precisions."""
