/* dgemm: C = alpha * A * B + beta * C, row major.
   512-bit vectors, a register tile in cache tiles, B packed; threads share the columns. */
#include <stddef.h>
#include <string.h>
#include <omp.h>

typedef double vec __attribute__((vector_size(64), aligned(8), may_alias)); /* may lie anywhere */

#define LANES 8 /* doubles in a vector */
#define MR 8 /* rows of the register tile; MR * NV sums hide the latency of the multiply-add */
#define NV 3 /* vectors in a row of it; sums, a row of B and an A fill the register file */
#define NR (NV * LANES) /* columns of the register tile */
#define MC 48 /* tune: 8..2048 step 8; rows of the A block that stays in L2 */
#define NC 48 /* tune: 24..2040 step 24; columns of B per pass: KC x NC stays in L3 */
#define KC 32 /* tune: 32..2048 step 8; depth of the panels: a KC-deep panel of B stays in L1 */
#define UNROLL 2 /* tune: 2, 4, 8; steps of k per turn of the loop */
#define AHEAD_A 16 /* tune: 2..64 step 2; steps by which A is fetched before its turn */

static inline int min(int a, int b)
{
    return a < b ? a : b;
}

/* Updates the part of a tile that C has. */
static __attribute__((noipa)) void
store_part(int rows, int cols, const double *from, double alpha, double beta, double *c, int ldc)
{
    const int whole = cols / LANES * LANES;
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < whole; j += LANES) {
            const vec sum = *(const vec *)(from + r * NR + j);
            vec *out = (vec *)(c + (ptrdiff_t)r * ldc + j);
            *out = beta == 0 ? alpha * sum : alpha * sum + beta * *out;
        }
    for (int j = whole; j < cols; j++) {
        double *out = c + j;
        for (int r = 0; r < rows; r++, out += ldc)
            *out = beta == 0 ? alpha * from[r * NR + j] : alpha * from[r * NR + j] + beta * *out;
    }
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
    const double *restrict b, ptrdiff_t step_b, double alpha, double beta, double *restrict c, int ldc,
            int kept_rows, int kept_cols)
{
    vec sum[MR][NV] = {0};
    int p = 0;
    for (; p + UNROLL <= kc; p += UNROLL, a += UNROLL * step_a, b += UNROLL * step_b)
#pragma GCC unroll 8
        for (int u = 0; u < UNROLL; u++) {
            for (int r = 0; r < rows; r++)
                __builtin_prefetch(a + r * row_a + (u + AHEAD_A) * step_a, 0, 3);
            step(rows, vectors, sum, a + u * step_a, row_a, b + u * step_b);
        }
    for (; p < kc; p++, a += step_a, b += step_b)
        step(rows, vectors, sum, a, row_a, b);
    if (kept_rows < rows || kept_cols < vectors * LANES) {
        double whole[MR * NR]; /* the panels are padded, C is not */
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                ((vec *)(whole + r * NR))[v] = sum[r][v];
        store_part(kept_rows, kept_cols, whole, alpha, beta, c, ldc);
        return;
    }
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
    for (int j = 0; j < nc; j += NR) {
        const int cols = min(NR, nc - j);
        for (int i = 0; i < mc; i += MR)
            tile(MR, NV, kc, a + (ptrdiff_t)i * lda, lda, 1, b + j * kc, NR, alpha, beta, C + (ptrdiff_t)i * ldc
                    + j, ldc, MR, cols);
    }
}

/* C = alpha * A * B + beta * C by one thread: the five loops of Goto and van de Geijn (2008). */
static void multiply(int m, int n, int k, double alpha, const double *A, int lda, const double *B, int ldb,
                     double beta, double *C, int ldc, double *packed_b)
{
    for (int jc = 0; jc < n; jc += NC) {
        const int nc = min(NC, n - jc);
        for (int pc = 0; pc == 0 || pc < k; pc += KC) {
            const int kc = min(KC, k - pc);
            const double keep = pc == 0 ? beta : 1; /* k = 0 still applies beta */
            for (int j = 0; j < nc; j += NR)
                pack_b(kc, min(NR, nc - j), B + (ptrdiff_t)pc * ldb + jc + j, ldb, packed_b + j * kc);
            for (int ic = 0; ic < m; ic += MC) {
                const int mc = min(MC, m - ic);
                const double *a = A + (ptrdiff_t)ic * lda + pc;
                block(mc, nc, kc, alpha, a, lda, packed_b, keep, C + (ptrdiff_t)ic * ldc + jc, ldc);
            }
        }
    }
}

/* Where share `id` of `shares` begins in an extent that is cut into whole units. */
static inline int cut(int extent, int unit, int id, int shares)
{
    return min(extent, (extent + unit - 1) / unit * id / shares * unit);
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
#pragma omp parallel
    {
        double packed_b[KC * NC] __attribute__((aligned(64))); /* each thread packs for itself: no barrier */
        const int threads = omp_get_num_threads(), id = omp_get_thread_num();
        const int j0 = cut(n, NR, id, threads), j1 = cut(n, NR, id + 1, threads);
        multiply(m0, j1 - j0, k, alpha, A, lda, B + j0, ldb, beta, C + j0, ldc, packed_b);
    }
    rest(m0, m, 0, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
