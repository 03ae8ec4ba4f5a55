/* Expected cell: packed/256/any/near. pack_a copies into panels with a factor, pack_b into contiguous panels; k is unrolled by 8. Measured as cache+register. */
/* C = alpha A B + beta C, GotoBLAS style: B in panels of 8 columns, A in panels of 6 rows, 6 x 8 micro kernel of 256-bit FMAs
   that prefetches its tile of C and the panel of A to L1. A is scaled by alpha while it is packed. */
#include <immintrin.h>
#include <stddef.h>
#include <string.h>

#define MR 6
#define NR 8
#define AHEAD 16 /* tune: 8, 12, 16, 24, 32; steps of k ahead in the panel of A */
#define MC 72 /* tune: 48, 72, 96, 132, 174; rows of the packed block of A that stays in L2, a multiple of 6 */
#define KC 192 /* tune: 128, 176, 192, 256, 352; depth of the panels: KC x 8 of B stays in L1 */
#define NC 512 /* tune: 128..1024 step 128; columns of the packed block of B, a multiple of 8 */

static _Alignas(64) double pa[(size_t)MC * KC + 512];
static _Alignas(64) double pb[(size_t)NC * KC];

static inline int imin(int a, int b) { return a < b ? a : b; }

/* kc x nc of B into panels of 8 columns, zeros behind the last column */
static void pack_b(int kc, int nc, const double *b, int ldb, double *d)
{
    for (int j = 0; j < nc; j += NR, d += (size_t)kc * NR) {
        const double *s = b + j;
        if (nc - j >= NR) {
            for (int p = 0; p < kc; p++, s += ldb) {
                _mm256_store_pd(d + (size_t)p * NR, _mm256_loadu_pd(s));
                _mm256_store_pd(d + (size_t)p * NR + 4, _mm256_loadu_pd(s + 4));
            }
        } else {
            int w = nc - j;
            for (int p = 0; p < kc; p++, s += ldb)
                for (int q = 0; q < NR; q++)
                    d[(size_t)p * NR + q] = q < w ? s[q] : 0;
        }
    }
}

/* alpha times mc x kc of A into panels of 6 rows, zeros behind the last row */
static void pack_a(int mc, int kc, double alpha, const double *a, int lda, double *d)
{
    for (int i = 0; i < mc; i += MR, d += (size_t)kc * MR) {
        const double *s = a + (ptrdiff_t)i * lda;
        if (mc - i >= MR) {
            const double *s0 = s, *s1 = s0 + lda, *s2 = s1 + lda, *s3 = s2 + lda, *s4 = s3 + lda, *s5 = s4 + lda;
            for (int p = 0; p < kc; p++) {
                double *t = d + (size_t)p * MR;
                t[0] = alpha * s0[p];
                t[1] = alpha * s1[p];
                t[2] = alpha * s2[p];
                t[3] = alpha * s3[p];
                t[4] = alpha * s4[p];
                t[5] = alpha * s5[p];
            }
        } else {
            int h = mc - i;
            for (int p = 0; p < kc; p++)
                for (int r = 0; r < MR; r++)
                    d[(size_t)p * MR + r] = r < h ? alpha * s[(ptrdiff_t)r * lda + p] : 0;
        }
    }
}

static inline void put(double *c, __m256d lo, __m256d hi, double beta)
{
    if (beta != 0) {
        __m256d b = _mm256_set1_pd(beta);
        lo = _mm256_fmadd_pd(b, _mm256_loadu_pd(c), lo);
        hi = _mm256_fmadd_pd(b, _mm256_loadu_pd(c + 4), hi);
    }
    _mm256_storeu_pd(c, lo);
    _mm256_storeu_pd(c + 4, hi);
}

/* mr x nr of C = panel of A * panel of B + beta * C */
static inline void micro(int kc, const double *restrict a, const double *restrict b, double beta, double *c, int ldc, int mr, int nr)
{
    __m256d c00 = _mm256_setzero_pd(), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00;
    __m256d c30 = c00, c31 = c00, c40 = c00, c41 = c00, c50 = c00, c51 = c00;
    for (int r = 0; r < mr; r++) {
        _mm_prefetch((const char *)(c + (ptrdiff_t)r * ldc), _MM_HINT_T0);
        _mm_prefetch((const char *)(c + (ptrdiff_t)r * ldc + nr - 1), _MM_HINT_T0);
    }
#define ROW(r, u)                                       \
    x = _mm256_broadcast_sd(a + MR * (u) + r);          \
    c##r##0 = _mm256_fmadd_pd(x, b0, c##r##0);          \
    c##r##1 = _mm256_fmadd_pd(x, b1, c##r##1)
#define STEP(u)                                                                                    \
    do {                                                                                           \
        __m256d b0 = _mm256_load_pd(b + NR * (u)), b1 = _mm256_load_pd(b + NR * (u) + 4), x;       \
        ROW(0, u);                                                                                 \
        ROW(1, u);                                                                                 \
        ROW(2, u);                                                                                 \
        ROW(3, u);                                                                                 \
        ROW(4, u);                                                                                 \
        ROW(5, u);                                                                                 \
    } while (0)
    int p = 0;
    for (; p + 8 <= kc; p += 8) { /* 8 steps read 6 lines of A */
        const char *f = (const char *)(a + MR * AHEAD);
        _mm_prefetch(f, _MM_HINT_T0);
        STEP(0);
        _mm_prefetch(f + 64, _MM_HINT_T0);
        STEP(1);
        _mm_prefetch(f + 128, _MM_HINT_T0);
        STEP(2);
        _mm_prefetch(f + 192, _MM_HINT_T0);
        STEP(3);
        _mm_prefetch(f + 256, _MM_HINT_T0);
        STEP(4);
        _mm_prefetch(f + 320, _MM_HINT_T0);
        STEP(5);
        STEP(6);
        STEP(7);
        a += 8 * MR;
        b += 8 * NR;
    }
    for (; p < kc; p++, a += MR, b += NR)
        STEP(0);
    if (mr == MR && nr == NR) {
        put(c, c00, c01, beta);
        put(c + (ptrdiff_t)ldc, c10, c11, beta);
        put(c + (ptrdiff_t)2 * ldc, c20, c21, beta);
        put(c + (ptrdiff_t)3 * ldc, c30, c31, beta);
        put(c + (ptrdiff_t)4 * ldc, c40, c41, beta);
        put(c + (ptrdiff_t)5 * ldc, c50, c51, beta);
    } else {
        _Alignas(32) double t[MR * NR];
        put(t, c00, c01, 0);
        put(t + 8, c10, c11, 0);
        put(t + 16, c20, c21, 0);
        put(t + 24, c30, c31, 0);
        put(t + 32, c40, c41, 0);
        put(t + 40, c50, c51, 0);
        for (int i = 0; i < mr; i++)
            for (int j = 0; j < nr; j++) {
                double *q = c + (ptrdiff_t)i * ldc + j;
                *q = beta == 0 ? t[i * NR + j] : t[i * NR + j] + beta * *q;
            }
    }
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb, double beta,
           double *restrict C, int ldc)
{
    if (m <= 0 || n <= 0)
        return;
    if (alpha == 0 || k <= 0) {
        for (int i = 0; i < m; i++) {
            double *c = C + (ptrdiff_t)i * ldc;
            if (beta == 0)
                memset(c, 0, (size_t)n * sizeof *c);
            else if (beta != 1)
                for (int j = 0; j < n; j++)
                    c[j] *= beta;
        }
        return;
    }
    for (int jc = 0; jc < n; jc += NC) {
        int nc = imin(NC, n - jc);
        for (int pc = 0; pc < k; pc += KC) {
            int kc = imin(KC, k - pc);
            double be = pc == 0 ? beta : 1;
            pack_b(kc, nc, B + (ptrdiff_t)pc * ldb + jc, ldb, pb);
            for (int ic = 0; ic < m; ic += MC) {
                int mc = imin(MC, m - ic);
                pack_a(mc, kc, alpha, A + (ptrdiff_t)ic * lda + pc, lda, pa);
                for (int j = 0; j < nc; j += NR)
                    for (int i = 0; i < mc; i += MR)
                        micro(kc, pa + (size_t)i * kc, pb + (size_t)j * kc, be, C + (ptrdiff_t)(ic + i) * ldc + jc + j, ldc,
                              imin(MR, mc - i), imin(NR, nc - j));
            }
        }
    }
}
