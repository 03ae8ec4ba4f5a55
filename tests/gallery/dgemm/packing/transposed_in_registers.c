/* expect: packed/256/serial/far
   A is transposed four by four in registers on its way into the panel. */
#include <immintrin.h>
#define KC 160
#define MC 64
static _Alignas(32) double panel[MC * KC];

/* 4 rows x kc of A, step p of all four side by side */
static void pack4(int kc, const double *a, int lda, double *to)
{
    int p = 0;
    for (; p + 4 <= kc; p += 4, to += 16) {
        const __m256d r0 = _mm256_loadu_pd(a + p), r1 = _mm256_loadu_pd(a + lda + p);
        const __m256d r2 = _mm256_loadu_pd(a + 2 * (ptrdiff_t)lda + p), r3 = _mm256_loadu_pd(a + 3 * (ptrdiff_t)lda + p);
        const __m256d t0 = _mm256_unpacklo_pd(r0, r1), t1 = _mm256_unpackhi_pd(r0, r1);
        const __m256d t2 = _mm256_unpacklo_pd(r2, r3), t3 = _mm256_unpackhi_pd(r2, r3);
        _mm256_store_pd(to, _mm256_permute2f128_pd(t0, t2, 0x20));
        _mm256_store_pd(to + 4, _mm256_permute2f128_pd(t1, t3, 0x20));
        _mm256_store_pd(to + 8, _mm256_permute2f128_pd(t0, t2, 0x31));
        _mm256_store_pd(to + 12, _mm256_permute2f128_pd(t1, t3, 0x31));
    }
    for (; p < kc; p++)
        for (int r = 0; r < 4; r++)
            *to++ = a[(ptrdiff_t)r * lda + p];
}

static void tile(int kc, double alpha, const double *a, const double *b, int ldb, double *c, int ldc)
{
    __m256d s[4][2] = {{_mm256_setzero_pd()}};
    for (int p = 0; p < kc; p++, a += 4, b += ldb) {
        const __m256d b0 = _mm256_loadu_pd(b), b1 = _mm256_loadu_pd(b + 4);
        _mm_prefetch((const char *)(b + 8 * (ptrdiff_t)ldb), _MM_HINT_T1);
#pragma GCC unroll 4
        for (int r = 0; r < 4; r++) {
            const __m256d x = _mm256_broadcast_sd(a + r);
            s[r][0] = _mm256_fmadd_pd(x, b0, s[r][0]);
            s[r][1] = _mm256_fmadd_pd(x, b1, s[r][1]);
        }
    }
    const __m256d x = _mm256_set1_pd(alpha);
    for (int r = 0; r < 4; r++, c += ldc) {
        _mm256_storeu_pd(c, _mm256_fmadd_pd(x, s[r][0], _mm256_loadu_pd(c)));
        _mm256_storeu_pd(c + 4, _mm256_fmadd_pd(x, s[r][1], _mm256_loadu_pd(c + 4)));
    }
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
    if (alpha == 0)
        return;
    const int m4 = m / 4 * 4, n8 = n / 8 * 8;
    for (int pc = 0; pc < k; pc += KC)
        for (int ic = 0; ic < m4; ic += MC) {
            const int kc = k - pc < KC ? k - pc : KC, mc = m4 - ic < MC ? m4 - ic : MC;
            for (int i = 0; i < mc; i += 4)
                pack4(kc, A + (ptrdiff_t)(ic + i) * lda + pc, lda, panel + (ptrdiff_t)i * kc);
            for (int j = 0; j < n8; j += 8)
                for (int i = 0; i < mc; i += 4)
                    tile(kc, alpha, panel + (ptrdiff_t)i * kc, B + (ptrdiff_t)pc * ldb + j, ldb,
                         C + (ptrdiff_t)(ic + i) * ldc + j, ldc);
        }
    for (int i = 0; i < m; i++)
        for (int p = 0; p < k; p++)
            for (int j = i < m4 ? n8 : 0; j < n; j++)
                C[(ptrdiff_t)i * ldc + j] += alpha * A[(ptrdiff_t)i * lda + p] * B[(ptrdiff_t)p * ldb + j];
}
