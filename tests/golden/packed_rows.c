/* dgemm: C = alpha * A * B + beta * C, row major.
   512-bit vectors, a register tile in cache tiles, A and B packed; threads share the rows. */
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
#define AHEAD_B 6 /* tune: 2..64 step 2; steps by which B is fetched before its turn */

static inline int min(int a, int b)
{
    return a < b ? a : b;
}

typedef long long lane_numbers __attribute__((vector_size(64)));

/* Element r of vector q becomes element q of vector r. */
static inline __attribute__((always_inline)) void transpose(vec *t)
{
#pragma GCC unroll 16
    for (int r = 0; r < LANES; r++) {
        if (r & 1)
            continue;
        const vec low = t[r], high = t[r + 1];
        t[r] = __builtin_shuffle(low, high, (lane_numbers){0, 8, 2, 10, 4, 12, 6, 14});
        t[r + 1] = __builtin_shuffle(low, high, (lane_numbers){1, 9, 3, 11, 5, 13, 7, 15});
    }
#pragma GCC unroll 16
    for (int r = 0; r < LANES; r++) {
        if (r & 2)
            continue;
        const vec low = t[r], high = t[r + 2];
        t[r] = __builtin_shuffle(low, high, (lane_numbers){0, 1, 8, 9, 4, 5, 12, 13});
        t[r + 2] = __builtin_shuffle(low, high, (lane_numbers){2, 3, 10, 11, 6, 7, 14, 15});
    }
#pragma GCC unroll 16
    for (int r = 0; r < LANES; r++) {
        if (r & 4)
            continue;
        const vec low = t[r], high = t[r + 4];
        t[r] = __builtin_shuffle(low, high, (lane_numbers){0, 1, 2, 3, 8, 9, 10, 11});
        t[r + 4] = __builtin_shuffle(low, high, (lane_numbers){4, 5, 6, 7, 12, 13, 14, 15});
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
            int kept_rows, int kept_cols)
{
    vec sum[MR][NV] = {0};
    for (int r = 0; r < rows; r++) /* C arrives while k is summed */
        for (int j = 0; j < vectors * LANES; j += 8)
            __builtin_prefetch(c + (ptrdiff_t)r * ldc + j, 0, 3);
    for (int p = 0; p < kc; p++, a += step_a, b += step_b) {
        for (int j = 0; j < vectors * LANES; j += 8)
            __builtin_prefetch(b + (AHEAD_B) * step_b + j, 0, 2);
        step(rows, vectors, sum, a, row_a, b);
    }
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

/* A panel of MR rows, column after column: the tile reads A with unit stride; missing rows are zeros. */
static void pack_a(int kc, int rows, const double *restrict A, int lda, double *restrict to)
{
    int p = 0;
    for (; p + LANES <= kc; p += LANES) {
        vec t[1 * LANES];
#pragma GCC unroll 32
        for (int r = 0; r < 1 * LANES; r++)
            t[r] = r < rows ? *(const vec *)(A + (ptrdiff_t)r * lda + p) : (vec){0};
#pragma GCC unroll 32
        for (int r = 0; r < 1 * LANES; r += LANES)
            transpose(t + r);
#pragma GCC unroll 32
        for (int q = 0; q < LANES; q++)
#pragma GCC unroll 32
            for (int r = 0; r < 1 * LANES; r += LANES)
                *(vec *)(to + (p + q) * MR + r) = t[r + q];
    }
    for (; p < kc; p++)
        for (int r = 0; r < MR; r++)
            to[p * MR + r] = r < rows ? A[(ptrdiff_t)r * lda + p] : 0;
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
static void block(int mc, int nc, int kc, double alpha, const double *a, const double *b,
                  double beta, double *C, int ldc)
{
    for (int j = 0; j < nc; j += NR) {
        const int cols = min(NR, nc - j);
        for (int i = 0; i < mc; i += MR)
            tile(MR, NV, kc, a + i * kc, 1, MR, b + j * kc, NR, alpha, beta, C + (ptrdiff_t)i * ldc + j, ldc,
                    min(MR, mc - i), cols);
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
    static double packed_b[KC * NC] __attribute__((aligned(64))); /* static: fresh memory would fault at every call */
    if (alpha == 0 || k == 0)
        alpha = k = 0; /* A and B must not be read, C is still scaled */
#pragma omp parallel
    {
        double packed_a[MC * KC] __attribute__((aligned(64))); /* each thread packs its own rows */
        const int threads = omp_get_num_threads(), id = omp_get_thread_num();
        const int i0 = cut(m, MR, id, threads), i1 = cut(m, MR, id + 1, threads);
        for (int jc = 0; jc < n; jc += NC) {
            const int nc = min(NC, n - jc);
            for (int pc = 0; pc == 0 || pc < k; pc += KC) {
                const int kc = min(KC, k - pc);
                const double keep = pc == 0 ? beta : 1; /* k = 0 still applies beta */
#pragma omp for schedule(static) /* ends in a barrier: all of B is packed */
                for (int j = 0; j < nc; j += NR)
                    pack_b(kc, min(NR, nc - j), B + (ptrdiff_t)pc * ldb + jc + j, ldb, packed_b + j * kc);
                for (int ic = i0; ic < i1; ic += MC) {
                    const int mc = min(MC, i1 - ic);
                    const double *a = A + (ptrdiff_t)ic * lda + pc;
                    for (int i = 0; i < mc; i += MR)
                        pack_a(kc, min(MR, mc - i), a + (ptrdiff_t)i * lda, lda, packed_a + i * kc);
                    block(mc, nc, kc, alpha, packed_a, packed_b, keep, C + (ptrdiff_t)ic * ldc + jc, ldc);
                }
#pragma omp barrier /* B may be packed anew */
            }
        }
    }
}
