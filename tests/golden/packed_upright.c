/* dgemm: C = alpha * A * B + beta * C, row major.
   256-bit vectors, a register tile in cache tiles, A and B packed; threads share the rows. */
#include <stddef.h>
#include <string.h>
#include <omp.h>

typedef double vec __attribute__((vector_size(32), aligned(8), may_alias)); /* may lie anywhere */

#define LANES 4 /* doubles in a vector */
#define NR 6 /* columns of the register tile; NR * NV sums hide the latency of the multiply-add */
#define NV 2 /* vectors in a column of it; sums, a column of A and a B fill the register file */
#define MR (NV * LANES) /* rows of the register tile */
#define MC 48 /* tune: 8..2048 step 8; rows of the A block that stays in L2 */
#define NC 48 /* tune: 12..2040 step 12; columns of B per pass: KC x NC stays in L3 */
#define KC 32 /* tune: 32..2048 step 8; depth of the panels: a KC-deep panel of B stays in L1 */
#define UNROLL 4 /* tune: 2, 4, 8; steps of k per turn of the loop */

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
    for (int j = 0; j < cols; j++) {
        double *out = c + j;
        for (int r = 0; r < rows; r++, out += ldc)
            *out = beta == 0 ? alpha * from[j * MR + r] : alpha * from[j * MR + r] + beta * *out;
    }
}

/* One step of k: a column of A times each element of a row of B. Inlined, its loops are straight code. */
static inline __attribute__((always_inline)) void
step(const int columns, const int vectors, vec (*sum)[NV], const double *a, const double *b)
{
    const vec *column = (const vec *)a;
#pragma GCC unroll 16
    for (int j = 0; j < columns; j++)
#pragma GCC unroll 4
        for (int v = 0; v < vectors; v++)
            sum[j][v] += b[j] * column[v];
}

/* A tile of columns x vectors of C over kc steps of k: the sums never leave the registers. */
static inline __attribute__((always_inline)) void
tile(const int columns, const int vectors, int kc, const double *restrict a, ptrdiff_t step_a,
    const double *restrict b, ptrdiff_t step_b, double alpha, double beta, double *restrict c, int ldc,
            int kept_rows, int kept_cols)
{
    vec sum[NR][NV] = {0};
    int p = 0;
    for (; p + UNROLL <= kc; p += UNROLL, a += UNROLL * step_a, b += UNROLL * step_b)
#pragma GCC unroll 8
        for (int u = 0; u < UNROLL; u++)
            step(columns, vectors, sum, a + u * step_a, b + u * step_b);
    for (; p < kc; p++, a += step_a, b += step_b)
        step(columns, vectors, sum, a, b);
    if (kept_rows < MR || kept_cols < NR) {
        double whole[MR * NR]; /* the panels are padded, C is not */
#pragma GCC unroll 16
        for (int j = 0; j < columns; j++)
#pragma GCC unroll 4
            for (int v = 0; v < vectors; v++)
                ((vec *)(whole + j * MR))[v] = sum[j][v];
        store_part(kept_rows, kept_cols, whole, alpha, beta, c, ldc);
        return;
    }
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
#pragma GCC unroll 16
        for (int j = 0; j + LANES <= NR; j += LANES) {
            vec t[LANES];
#pragma GCC unroll 16
            for (int r = 0; r < LANES; r++)
                t[r] = sum[j + r][v];
            transpose(t);
#pragma GCC unroll 16
            for (int r = 0; r < LANES; r++) {
                vec *out = (vec *)(c + (ptrdiff_t)(v * LANES + r) * ldc + j), value = t[r];
                *out = beta == 0 ? alpha * value : alpha * value + beta * *out;
            }
        }
#pragma GCC unroll 16
        for (int j = NR / LANES * LANES; j < NR; j++)
#pragma GCC unroll 16
            for (int r = 0; r < LANES; r++) {
                double *out = c + (ptrdiff_t)(v * LANES + r) * ldc + j, value = sum[j][v][r];
                *out = beta == 0 ? alpha * value : alpha * value + beta * *out;
            }
    }
}

/* A panel of MR rows, column after column: the tile reads A with unit stride; missing rows are zeros. */
static void pack_a(int kc, int rows, const double *restrict A, int lda, double *restrict to)
{
    int p = 0;
    for (; p + LANES <= kc; p += LANES) {
        vec t[2 * LANES];
#pragma GCC unroll 32
        for (int r = 0; r < 2 * LANES; r++)
            t[r] = r < rows ? *(const vec *)(A + (ptrdiff_t)r * lda + p) : (vec){0};
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
            tile(NR, NV, kc, a + i * kc, MR, b + j * kc, NR, alpha, beta, C + (ptrdiff_t)i * ldc + j, ldc, min(MR,
                    mc - i), cols);
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
