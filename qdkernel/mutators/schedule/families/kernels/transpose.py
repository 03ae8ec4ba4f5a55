"""The out-of-place transpose."""

from __future__ import annotations

from qdkernel.mutators.schedule.c_text import loop
from qdkernel.mutators.schedule.families.family import Family, both
from qdkernel.mutators.schedule.families.style import UNROLL, Style, function

_PARAMETERS = "int m, int n, const double *restrict A, int lda, double *restrict B, int ldb"
_BLOCK = "(int rows, int columns, const double *restrict a, ptrdiff_t lda, double *restrict b, ptrdiff_t ldb)"


def transpose(style: Style) -> list[str]:
    """Square tiles, in which squares of vectors are transposed in registers."""
    functions = [
        function(
            f"static void turn{_BLOCK}",
            loop(
                "for (int j = 0; j < columns; j++)",
                loop(
                    "for (int i = 0; i < rows; i++)",
                    *style.by_line("i", "a + (ptrdiff_t)i * lda + j"),
                    "b[j * ldb + i] = a[i * lda + j];",
                ),
            ),
            comment="A block of A, number by number.",
        )
    ]
    call = "turn"
    if style.vector:
        functions += [_square(style), _block(style)]
        call = "turn_block"
    tile = [
        "const int rows = (int)min(TILE, m - top), columns = (int)min(TILE, n - left);",
        f"{call}(rows, columns, A + (ptrdiff_t)top * lda + left, lda, B + (ptrdiff_t)left * ldb + top, ldb);",
    ]
    nest = loop("for (int left = 0; left < n; left += TILE)", loop("for (int top = 0; top < m; top += TILE)", *tile))
    main = function(f"void {style.family.function}({_PARAMETERS})", style.share() + nest)
    return [style.c(text) for text in (*functions, main)]


def _square(style: Style) -> str:
    """Butterflies: in step s, rows whose numbers differ in bit s exchange halves of their runs of s numbers."""
    lanes, integer = style.lanes, "long long" if style.real == "double" else "int"
    stages, span = [], 1
    while span < lanes:
        low = [lane if lane & span == 0 else lanes + lane - span for lane in range(lanes)]
        high = [lane + span if lane & span == 0 else lanes + lane for lane in range(lanes)]
        masks = [", ".join(map(str, mask)) for mask in (low, high)]
        stages.append(
            UNROLL
            + loop(
                "for (int pair = 0; pair < LANES / 2; pair++)",
                f"const int r = pair / {span} * {2 * span} + pair % {span};",
                f"const vec one = row[r], other = row[r + {span}];",
                f"row[r] = __builtin_shuffle(one, other, (places){{{masks[0]}}});",
                f"row[r + {span}] = __builtin_shuffle(one, other, (places){{{masks[1]}}});",
            )
        )
        span *= 2
    store = "AT(b + r * ldb) = row[r];"
    if style.genome.stream:
        store = loop("if (aligned)", "STREAM(b + r * ldb, row[r]);") + "\n" + loop("else", store)
    aligned = ", int aligned" if style.genome.stream else ""
    return f"typedef {integer} places __attribute__((vector_size({style.genome.width // 8})));\n\n" + function(
        "static inline void turn_square(const double *restrict a, ptrdiff_t lda, double *restrict b, "
        f"ptrdiff_t ldb{aligned})",
        "vec row[LANES];",
        UNROLL
        + loop("for (int r = 0; r < LANES; r++)", *style.prefetches("a + r * lda"), "row[r] = AT(a + r * lda);", ""),
        *stages,
        UNROLL + loop("for (int r = 0; r < LANES; r++)", store),
        comment="LANES rows of LANES numbers, transposed in registers: in each step pairs of rows exchange halves.",
    )


def _block(style: Style) -> str:
    streamed = style.genome.stream
    aligned = ", aligned" if streamed else ""
    return function(
        f"static void turn_block{_BLOCK}",
        "const int aligned = (uintptr_t)b % sizeof(double[LANES]) == 0 && ldb % LANES == 0;" if streamed else "",
        "const int whole_rows = rows / LANES * LANES, whole_columns = columns / LANES * LANES;",
        loop(
            "for (int j = 0; j < whole_columns; j += LANES)",
            loop(
                "for (int i = 0; i < whole_rows; i += LANES)",
                f"turn_square(a + i * lda + j, lda, b + j * ldb + i, ldb{aligned});",
            ),
        ),
        "turn(rows, columns - whole_columns, a + whole_columns, lda, b + whole_columns * ldb, ldb);",
        "turn(rows - whole_rows, whole_columns, a + whole_rows * lda, lda, b + whole_rows, ldb);",
        "_mm_sfence(); /* before another thread reads what was streamed */" if streamed else "",
        comment="A block of A: squares of vectors, then what is left at its right and below.",
    )


FAMILIES = tuple(
    Family(
        function=name,
        summary="B = the transpose of A, row major",
        real=real,
        sections=transpose,
        blockings=("cache",),
        tiles=range(16, 257, 16),
        tile_meaning="rows and columns of a block",
        most_vectors=1,
        streams=True,
        arithmetic=False,
    )
    for name, real in both("dtranspose")
)
"""The transpose in both precisions."""
