/* dgemm: C = alpha * A * B + beta * C, row major.
   256-bit vectors, a register tile in cache tiles, A and B packed; threads share k and add up their sums. */
#include <stddef.h>
#include <string.h>
#include <omp.h>

typedef double vec __attribute__((vector_size(32), aligned(8), may_alias)); /* may lie anywhere */

#define LANES 4 /* doubles in a vector */
#define MR 6 /* rows of the register tile; MR * NV sums hide the latency of the multiply-add */
#define NV 2 /* vectors in a row of it; sums, a row of B and an A fill the register file */
#define NR (NV * LANES) /* columns of the register tile */
#define MC 48 /* tune: 12..2040 step 12; rows of the A block that stays in L2 */
#define NC 48 /* tune: 8..2048 step 8; columns of B per pass: KC x NC stays in L3 */
#define KC 32 /* tune: 32..2048 step 8; depth of the panels: a KC-deep panel of B stays in L1 */
#define UNROLL 4 /* tune: 2, 4, 8; steps of k per turn of the loop */
#define SUMS 524288 /* elements of C that the threads keep apart at most */

static inline int min(int a, int b)
{
    return a < b ? a : b;
}

typedef long long lane_numbers __attribute__((vector_size(32)));

/* Element r of vector q becomes element q of vector r. */
static inline __attribute__((always_inline)) void transpose(vec *t)
{
#pragma GCC unroll 16
    for (int r = 0; r < LANES; r++) {
        if (r & 1)
            continue;
        const vec low = t[r], high = t[r + 1];
        t[r] = __builtin_shuffle(low, high, (lane_numbers){0, 4, 2, 6});
        t[r + 1] = __builtin_shuffle(low, high, (lane_numbers){1, 5, 3, 7});
    }
#pragma GCC unroll 16
    for (int r = 0; r < LANES; r++) {
        if (r & 2)
            continue;
        const vec low = t[r], high = t[r + 2];
        t[r] = __builtin_shuffle(low, high, (lane_numbers){0, 1, 4, 5});
        t[r + 2] = __builtin_shuffle(low, high, (lane_numbers){2, 3, 6, 7});
    }
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
            int kept_cols)
{
    vec sum[MR][NV] = {0};
    int p = 0;
    if (rows == MR && vectors == NV) /* edges take too little time to unroll them */
        for (; p + UNROLL <= kc; p += UNROLL, a += UNROLL * step_a, b += UNROLL * step_b)
#pragma GCC unroll 8
            for (int u = 0; u < UNROLL; u++)
                step(rows, vectors, sum, a + u * step_a, row_a, b + u * step_b);
    for (; p < kc; p++, a += step_a, b += step_b)
        step(rows, vectors, sum, a, row_a, b);
    if (rows < MR || vectors < NV || kept_cols < vectors * LANES) {
        double whole[MR * NR]; /* the panels are padded, C is not */
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                ((vec *)(whole + r * NR))[v] = sum[r][v];
        store_part(rows, kept_cols, whole, alpha, beta, c, ldc);
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

/* Rows of the next tile: MR, or the largest power of two that is left. */
static inline int tile_rows(int left)
{
    int rows = MR;
    while (rows > left)
        rows = rows == MR ? 4 : rows / 2;
    return rows;
}

/* The edges of C have kernels of their own: fewer rows, fewer vectors. */
static void edge(int rows, int vectors, int kc, const double *a, ptrdiff_t row_a, ptrdiff_t step_a, const double *b,
                 ptrdiff_t step_b, double alpha, double beta, double *c, int ldc, int kept_cols)
{
#define EDGE(R, V) \
    case 8 * (R) + (V): \
        tile(R, V, kc, a, row_a, step_a, b, step_b, alpha, beta, c, ldc, kept_cols); \
        break;
    switch (8 * rows + vectors) {
    EDGE(MR, 1)
    EDGE(4, 2) EDGE(4, 1)
    EDGE(2, 2) EDGE(2, 1)
    EDGE(1, 2) EDGE(1, 1)
    }
}

/* A panel of MR rows, column after column: the tile reads A with unit stride.
   The last vector of each column runs over by 2, which the next column overwrites. */
static void pack_a(int kc, int rows, const double *restrict A, int lda, double *restrict to)
{
    int p = 0;
    for (; p + LANES <= kc && rows == MR; p += LANES) {
        vec t[2 * LANES];
#pragma GCC unroll 32
        for (int r = 0; r < 2 * LANES; r++)
            t[r] = r < MR ? *(const vec *)(A + (ptrdiff_t)r * lda + p) : (vec){0};
#pragma GCC unroll 32
        for (int r = 0; r < 2 * LANES; r += LANES)
            transpose(t + r);
#pragma GCC unroll 32
        for (int q = 0; q < LANES; q++)
#pragma GCC unroll 32
            for (int r = 0; r < 2 * LANES; r += LANES)
                *(vec *)(to + (p + q) * MR + r) = t[r + q];
    }
    for (; p < kc; p++)
        for (int r = 0; r < rows; r++)
            to[p * rows + r] = A[(ptrdiff_t)r * lda + p];
}

/* A panel of NR columns, row after row: the tile reads B with unit stride, an edge as many vectors as it needs. */
static void pack_b(int kc, int cols, const double *restrict B, int ldb, double *restrict to)
{
    const int width = (cols + LANES - 1) / LANES * LANES;
    for (int p = 0; p < kc; p++, B += ldb, to += width)
        if (cols == NR) {
            memcpy(to, B, NR * sizeof *to);
        } else {
            memset(to, 0, width * sizeof *to);
            memcpy(to, B, cols * sizeof *to);
        }
}

/* A block of C, tile by tile: a panel of B stays in L1 while A streams. */
static void block(int mc, int nc, int kc, double alpha, const double *a, const double *b,
                  double beta, double *C, int ldc)
{
    for (int j = 0; j < nc; j += NR) {
        const int cols = min(NR, nc - j);
        for (int i = 0, rows; i < mc; i += rows) {
            rows = tile_rows(mc - i);
            const int vectors = (cols + LANES - 1) / LANES;
            if (rows == MR && vectors == NV)
                tile(MR, NV, kc, a + i * kc, 1, MR, b + j * kc, NR, alpha, beta, C + (ptrdiff_t)i * ldc + j, ldc,
                        cols);
            else
                edge(rows, vectors, kc, a + i * kc, 1, rows, b + j * kc, vectors * LANES, alpha, beta, C
                        + (ptrdiff_t)i * ldc + j, ldc, cols);
        }
    }
}

/* C = alpha * A * B + beta * C by one thread: the five loops of Goto and van de Geijn (2008). */
static void multiply(int m, int n, int k, double alpha, const double *A, int lda, const double *B, int ldb,
                     double beta, double *C, int ldc, double *packed_a, double *packed_b)
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
                for (int i = 0, rows; i < mc; i += rows) {
                    rows = tile_rows(mc - i);
                    pack_a(kc, rows, a + (ptrdiff_t)i * lda, lda, packed_a + i * kc);
                }
                block(mc, nc, kc, alpha, packed_a, packed_b, keep, C + (ptrdiff_t)ic * ldc + jc, ldc);
            }
        }
    }
}

/* Where share `id` of `shares` begins in an extent that is cut into whole units. */
static inline int cut(int extent, int unit, int id, int shares)
{
    return min(extent, (extent + unit - 1) / unit * id / shares * unit);
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda,
           const double *restrict B, int ldb, double beta, double *restrict C, int ldc)
{
    static double partial[SUMS]; /* static: fresh memory would fault at every call */
    if (alpha == 0 || k == 0)
        alpha = k = 0; /* A and B must not be read, C is still scaled */
#pragma omp parallel
    {
        double packed_b[KC * NC] __attribute__((aligned(64))); /* each thread packs for itself: no barrier */
        double packed_a[MC * KC + LANES] __attribute__((aligned(64)));
        const int threads = omp_get_num_threads(), id = omp_get_thread_num();
        const int deep = (double)(threads - 1) * m * n <= SUMS; /* else threads share the rows */
        const int i0 = deep ? 0 : cut(m, MR, id, threads);
        const int i1 = deep ? m : cut(m, MR, id + 1, threads);
        const int p0 = deep ? cut(k, 8, id, threads) : 0, p1 = deep ? cut(k, 8, id + 1, threads) : k;
        const int apart = deep && id > 0; /* the first thread adds to C itself */
        double *own = partial + (ptrdiff_t)(apart ? id - 1 : 0) * m * n;
        multiply(i1 - i0, n, p1 - p0, alpha, A + (ptrdiff_t)i0 * lda + p0, lda, B + (ptrdiff_t)p0 * ldb,
                 ldb, apart ? 0 : beta, apart ? own : C + (ptrdiff_t)i0 * ldc, apart ? n : ldc, packed_a, packed_b);
#pragma omp barrier
#pragma omp for schedule(static)
        for (int j = 0; j < n; j++)
            for (int t = 0; t < threads - 1 && deep; t++)
                for (int i = 0; i < m; i++)
                    C[(ptrdiff_t)i * ldc + j] += partial[((ptrdiff_t)t * m + i) * n + j];
    }
}
