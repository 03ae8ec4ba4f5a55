/* dgemm: C = alpha * A * B + beta * C, row major.
   512-bit vectors, a register tile in cache tiles, B packed; threads share the columns. */
#include <stddef.h>
#include <string.h>

typedef double vec __attribute__((vector_size(64), aligned(8), may_alias)); /* may lie anywhere */

#define LANES 8 /* doubles in a vector */
#define MR 8 /* rows of the register tile; MR * NV sums hide the latency of the multiply-add */
#define NV 3 /* vectors in a row of it; sums, a row of B and an A fill the register file */
#define NR (NV * LANES) /* columns of the register tile */
#define MC 48 /* tune: 8..2048 step 8; rows of the A block that stays in L2 */
#define NC 48 /* tune: 24..2040 step 24; columns of B per pass: KC x NC stays in L3 */
#define KC 32 /* tune: 32..1360 step 8; depth of the panels: a KC-deep panel of B stays in L1 */
#define AHEAD_A 16 /* tune: 2..64 step 2; steps by which A is fetched before its turn */

static inline int min(int a, int b)
{
    return a < b ? a : b;
}

/* One MR x NR tile of C over kc steps of k: the sums never leave the registers. */
static inline void tile(int kc, const double *restrict a, int lda, const double *restrict b,
                        double alpha, double beta, double *restrict c, int ldc)
{
    vec sum[MR][NV] = {0};
#pragma GCC unroll 2
    for (int p = 0; p < kc; p++) {
        for (int r = 0; r < MR; r++)
            __builtin_prefetch(a + (ptrdiff_t)r * lda + p + AHEAD_A, 0, 3);
        const vec *row = (const vec *)(b + p * NR);
#pragma GCC unroll 16
        for (int r = 0; r < MR; r++)
            for (int v = 0; v < NV; v++)
                sum[r][v] += a[(ptrdiff_t)r * lda + p] * row[v];
    }
#pragma GCC unroll 16
    for (int r = 0; r < MR; r++)
        for (int v = 0; v < NV; v++) {
            vec *out = (vec *)(c + (ptrdiff_t)r * ldc) + v;
            *out = beta == 0 ? alpha * sum[r][v] : alpha * sum[r][v] + beta * *out;
        }
}

/* A panel of NR columns, row after row: the tile reads B with unit stride; missing columns are zeros. */
static void pack_b(int kc, int cols, const double *restrict B, int ldb, double *restrict to)
{
    for (int p = 0; p < kc; p++, B += ldb, to += NR)
        if (cols == NR) {
            memcpy(to, B, NR * sizeof *to);
        } else {
            memset(to, 0, NR * sizeof *to);
            memcpy(to, B, cols * sizeof *to);
        }
}

/* A block of C, tile by tile: a panel of B stays in L1 while A streams. */
static void block(int mc, int nc, int kc, double alpha, const double *a, int lda, const double *b,
                  double beta, double *C, int ldc)
{
    for (int j = 0; j < nc; j += NR)
        for (int i = 0; i < mc; i += MR) {
            const int cols = min(NR, nc - j);
            double *whole = C + (ptrdiff_t)i * ldc + j, edge[MR * NR], *c = whole;
            int ld = ldc;
            if (cols < NR) {
                c = edge; /* the panels are padded, C is not: work on a copy of its part */
                ld = NR;
                for (int r = 0; beta != 0 && r < MR; r++)
                    memcpy(edge + r * NR, whole + (ptrdiff_t)r * ldc, cols * sizeof *c);
            }
            tile(kc, a + (ptrdiff_t)i * lda, lda, b + j * kc, alpha, beta, c, ld);
            for (int r = 0; c == edge && r < MR; r++)
                memcpy(whole + (ptrdiff_t)r * ldc, edge + r * NR, cols * sizeof *c);
        }
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
    const int m0 = m - m % MR; /* whole tiles end here */
#pragma omp parallel for schedule(static)
    for (int jc = 0; jc < n; jc += NC) {
        double packed_b[KC * NC] __attribute__((aligned(64))); /* each thread packs for itself: no barrier */
        const int nc = min(NC, n - jc);
        for (int pc = 0; pc == 0 || pc < k; pc += KC) {
            const int kc = min(KC, k - pc);
            const double keep = pc == 0 ? beta : 1; /* k = 0 still applies beta */
            for (int j = 0; j < nc; j += NR)
                pack_b(kc, min(NR, nc - j), B + (ptrdiff_t)pc * ldb + jc + j, ldb, packed_b + j * kc);
            for (int ic = 0; ic < m0; ic += MC) {
                const int mc = min(MC, m0 - ic);
                const double *a = A + (ptrdiff_t)ic * lda + pc;
                block(mc, nc, kc, alpha, a, lda, packed_b, keep, C + (ptrdiff_t)ic * ldc + jc, ldc);
            }
        }
    }
    rest(m0, m, 0, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
