/* expect: register/512/serial/none
   AVX-512 masks finish the columns, so that full tiles and edges are one loop. */
#include <immintrin.h>

static inline __attribute__((always_inline)) void strip(int rows, int k, double alpha, const double *a, int lda,
                                                        const double *b, int ldb, double *c, int ldc, __mmask8 lanes)
{
    __m512d sum[8];
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
        sum[r] = _mm512_setzero_pd();
    for (int p = 0; p < k; p++) {
        const __m512d x = _mm512_maskz_loadu_pd(lanes, b + (ptrdiff_t)p * ldb);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
            sum[r] = _mm512_fmadd_pd(_mm512_set1_pd(a[(ptrdiff_t)r * lda + p]), x, sum[r]);
    }
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++) {
        double *to = c + (ptrdiff_t)r * ldc;
        const __m512d old = _mm512_maskz_loadu_pd(lanes, to);
        _mm512_mask_storeu_pd(to, lanes, _mm512_fmadd_pd(_mm512_set1_pd(alpha), sum[r], old));
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
    for (int j = 0; j < n; j += 8) {
        const __mmask8 lanes = (__mmask8)(n - j >= 8 ? 0xff : (1 << (n - j)) - 1);
        int i = 0;
        for (; i + 8 <= m; i += 8)
            strip(8, k, alpha, A + (ptrdiff_t)i * lda, lda, B + j, ldb, C + (ptrdiff_t)i * ldc + j, ldc, lanes);
        for (; i < m; i++)
            strip(1, k, alpha, A + (ptrdiff_t)i * lda, lda, B + j, ldb, C + (ptrdiff_t)i * ldc + j, ldc, lanes);
    }
}
