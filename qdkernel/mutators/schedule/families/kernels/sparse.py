"""The product of a sparse matrix in compressed rows and a vector."""

from __future__ import annotations

from qdkernel.mutators.schedule.c_text import loop
from qdkernel.mutators.schedule.families.family import Family, both
from qdkernel.mutators.schedule.families.style import SCALAR, Style, function

_PARAMETERS = (
    "int n, int nnz, const int *restrict start, const int *restrict column, const double *restrict value, "
    "const double *restrict x, double *restrict y"
)


def spmv(style: Style) -> list[str]:
    """Each row is a sum over its entries; threads share parts with equal numbers of entries."""
    row = function(
        "static inline double row_times(int from, int to, const int *restrict column, const double *restrict value, "
        "const double *restrict x)",
        *(_vectors(style) if style.vector else _scalars(style)),
        comment="The entries of a row, from one position to another.",
    )
    each = "y[i] = row_times(start[i], start[i + 1], column, value, x);"
    if style.genome.threads == "serial":
        body = ["(void)nnz;", loop("for (int i = 0; i < n; i++)", each)]
    else:
        ends = [f"(int)((long long)nnz * {part} / PARTS)" for part in ("part", "(part + 1)")]
        body = [
            style.share()
            + loop(
                "for (int part = 0; part < PARTS; part++)",
                f"const int first = part == 0 ? 0 : row_of({ends[0]}, n, start);",
                f"const int last = part == PARTS - 1 ? n : row_of({ends[1]}, n, start);",
                loop("for (int i = first; i < last; i++)", each),
            )
        ]
        row = f"{_ROW_OF}\n\n{row}"
    return [style.c(text) for text in (row, function(f"void {style.family.function}({_PARAMETERS})", *body))]


_ROW_OF = """\
/* The first row that begins at an entry or behind it. */
static int row_of(int entry, int n, const int *restrict start)
{
    int low = 0, high = n;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (start[middle] < entry)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}"""


def _scalars(style: Style) -> list[str]:
    fetch = style.by_line("at", "value + at", "column + at")
    return [
        "double sum = 0;",
        "#pragma omp simd if(0) reduction(+ : sum)\n"
        + loop("for (int at = from; at < to; at++)", *fetch, "sum += value[at] * x[column[at]];"),
        "return sum;",
    ]


def _vectors(style: Style) -> list[str]:
    gathered = ", ".join(f"x[column[at + {lane}]]" if lane else "x[column[at]]" for lane in range(style.lanes))
    return [
        "vec sums = {0};",
        "double sum = 0;",
        "int at = from;",
        loop(
            "for (; at + LANES <= to; at += LANES)",
            *style.prefetches("value + at", "column + at"),
            f"sums += AT(value + at) * (vec){{{gathered}}};",
            "",
        ),
        SCALAR.replace("if(0)", "if(0) reduction(+ : sum)")
        + loop("for (int e = at; e < to; e++)", "sum += value[e] * x[column[e]];"),
        loop(
            "if (at > from)",
            SCALAR.replace("if(0)", "if(0) reduction(+ : sum)")
            + loop("for (int lane = 0; lane < LANES; lane++)", "sum += sums[lane];"),
            "",
        ),
        "return sum;",
    ]


FAMILIES = tuple(
    Family(
        function=name,
        summary="y = A x, A in compressed rows",
        real=real,
        sections=spmv,
        most_vectors=1,
        flat=True,
    )
    for name, real in both("dspmv_csr")
)
"""The sparse product in both precisions."""
