"""What whole tiles leave over, without tiles or panels."""

from __future__ import annotations

from qdkernel.mutators.schedule.gemm.printing.style import PrintContext, update


def rest(style: PrintContext) -> str:
    """What the tiles leave over, a region of C without tiles or panels."""
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
