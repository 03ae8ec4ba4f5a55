/* dgemm: C = alpha * A * B + beta * C, row major.
   256-bit vectors, a register tile in cache tiles; threads share the rows. */
#include <stddef.h>

typedef double vec __attribute__((vector_size(32), aligned(8), may_alias)); /* may lie anywhere */

#define LANES 4 /* doubles in a vector */
#define MR 4 /* rows of the register tile; MR * NV sums hide the latency of the multiply-add */
#define NV 3 /* vectors in a row of it; sums, a row of B and an A fill the register file */
#define NR (NV * LANES) /* columns of the register tile */
#define MC 48 /* tune: 8..2048 step 8; rows of the A block that stays in L2 */
#define NC 48 /* tune: 12..2040 step 12; columns of B per pass: KC x NC stays in L3 */
#define KC 32 /* tune: 8..2048 step 8; depth of the panels: a KC-deep panel of B stays in L1 */
#define UNROLL 2 /* tune: 2, 4, 8; steps of k per turn of the loop */

static inline int min(int a, int b)
{
    return a < b ? a : b;
}

/* One step of k: each row of A times a row of B. Inlined, its loops are straight code. */
static inline __attribute__((always_inline)) void
step(const int rows, const int vectors, vec (*sum)[NV], const double *a, ptrdiff_t row_a, const double *b)
{
    const vec *row = (const vec *)b;
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            sum[r][v] += a[r * row_a] * row[v];
}

/* A tile of rows x vectors of C over kc steps of k: the sums never leave the registers. */
static inline __attribute__((always_inline)) void
tile(const int rows, const int vectors, int kc, const double *restrict a, ptrdiff_t row_a, ptrdiff_t step_a,
     const double *restrict b, ptrdiff_t step_b, double alpha, double beta, double *restrict c, int ldc)
{
    vec sum[MR][NV] = {0};
    int p = 0;
    for (; p + UNROLL <= kc; p += UNROLL, a += UNROLL * step_a, b += UNROLL * step_b)
#pragma GCC unroll 8
        for (int u = 0; u < UNROLL; u++)
            step(rows, vectors, sum, a + u * step_a, row_a, b + u * step_b);
    for (; p < kc; p++, a += step_a, b += step_b)
        step(rows, vectors, sum, a, row_a, b);
    if (beta == 0)
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                ((vec *)(c + (ptrdiff_t)r * ldc))[v] = alpha * sum[r][v];
    else
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                ((vec *)(c + (ptrdiff_t)r * ldc))[v] = alpha * sum[r][v] + beta * ((vec *)(c
                        + (ptrdiff_t)r * ldc))[v];
}

/* Rows i0 to i1 and columns j0 to j1 of C, one element at a time. */
static void rest(int i0, int i1, int j0, int j1, int k, double alpha, const double *A, int lda,
                 const double *B, int ldb, double beta, double *C, int ldc)
{
    for (int i = i0; i < i1; i++)
        for (int j = j0; j < j1; j++) {
            const double *a = A + (ptrdiff_t)i * lda;
            double sum = 0, *c = C + (ptrdiff_t)i * ldc + j;
            for (ptrdiff_t at = j; at < (ptrdiff_t)k * ldb; at += ldb) /* down column j of B */
                sum += *a++ * B[at];
            *c = beta == 0 ? alpha * sum : alpha * sum + beta * *c;
        }
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda,
           const double *restrict B, int ldb, double beta, double *restrict C, int ldc)
{
    if (alpha == 0 || k == 0)
        alpha = k = 0; /* A and B must not be read, C is still scaled */
    const int m0 = m - m % MR, n0 = n - n % NR; /* whole tiles end here */
#pragma omp parallel for schedule(dynamic)
    for (int ic = 0; ic < m0; ic += MC) {
        const int i1 = min(ic + MC, m0);
        for (int jc = 0; jc < n0; jc += NC) {
            const int j1 = min(jc + NC, n0);
            for (int pc = 0; pc == 0 || pc < k; pc += KC) {
                const int p1 = min(pc + KC, k);
                const double keep = pc == 0 ? beta : 1; /* k = 0 still applies beta */
                for (int i = ic; i < i1; i += MR)
                    for (int j = jc; j < j1; j += NR)
                        tile(MR, NV, p1 - pc, A + (ptrdiff_t)i * lda + pc, lda, 1, B + (ptrdiff_t)pc * ldb + j, ldb,
                             alpha, keep, C + (ptrdiff_t)i * ldc + j, ldc);
            }
        }
    }
    rest(m0, m, 0, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
    rest(0, m0, n0, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
