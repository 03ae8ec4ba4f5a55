/* dgemm: C = alpha * A * B + beta * C, row major.
   512-bit vectors, a register tile; one thread. */
#include <stddef.h>
#include <string.h>

typedef double vec __attribute__((vector_size(64), aligned(8), may_alias)); /* may lie anywhere */

#define LANES 8 /* doubles in a vector */
#define MR 6 /* rows of the register tile; MR * NV sums hide the latency of the multiply-add */
#define NV 4 /* vectors in a row of it; sums, a row of B and an A fill the register file */
#define NR (NV * LANES) /* columns of the register tile */
#define UNROLL 2 /* tune: 2, 4, 8; steps of k per turn of the loop */
#define AHEAD_B 4 /* tune: 2..64 step 2; steps by which B is fetched before its turn */

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
        for (int u = 0; u < UNROLL; u++) {
            for (int j = 0; j < vectors * LANES; j += 8)
                __builtin_prefetch(b + (u + AHEAD_B) * step_b + j, 0, 0);
            step(rows, vectors, sum, a + u * step_a, row_a, b + u * step_b);
        }
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

/* The first `lanes` elements at p, zeros after them; memory past them is not touched. */
static inline void load(vec *to, const double *p, int lanes)
{
    *to = (vec){0};
    if (lanes >= LANES)
        *to = *(const vec *)p;
    else
        memcpy(to, p, lanes * sizeof *p);
}

/* Rows i0 to i1 and columns j0 to j1 of C, a vector at a time; the last one is padded with zeros. */
static void rest(int i0, int i1, int j0, int j1, int k, double alpha, const double *A, int lda,
                 const double *B, int ldb, double beta, double *C, int ldc)
{
    for (int i = i0; i < i1; i++)
        for (int j = j0; j < j1; j += LANES) {
            const int lanes = min(LANES, j1 - j);
            double *c = C + (ptrdiff_t)i * ldc + j;
            vec sum = {0}, other;
            for (int p = 0; p < k; p++) {
                load(&other, B + (ptrdiff_t)p * ldb + j, lanes);
                sum += A[(ptrdiff_t)i * lda + p] * other;
            }
            load(&other, c, lanes);
            sum = beta == 0 ? alpha * sum : alpha * sum + beta * other;
            memcpy(c, &sum, lanes * sizeof *c);
        }
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda,
           const double *restrict B, int ldb, double beta, double *restrict C, int ldc)
{
    if (alpha == 0 || k == 0)
        alpha = k = 0; /* A and B must not be read, C is still scaled */
    const int m0 = m - m % MR, n0 = n - n % NR; /* whole tiles end here */
    for (int j = 0; j < n0; j += NR)
        for (int i = 0; i < m0; i += MR)
            tile(MR, NV, k, A + (ptrdiff_t)i * lda, lda, 1, B + j, ldb,
                 alpha, beta, C + (ptrdiff_t)i * ldc + j, ldc);
    rest(m0, m, 0, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
    rest(0, m0, n0, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
