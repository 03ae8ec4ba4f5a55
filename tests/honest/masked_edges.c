/* Honest. Masked loads and stores at the edges where AVX-512 is there: no access beyond a row. */
#include <immintrin.h>

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
    if (alpha == 0)
        return;

    for (int i = 0; i < m; i++)
        for (int p = 0; p < k; p++) {
            double a = alpha * A[(long)i * lda + p];
            int j = 0;
    #ifdef __AVX512F__
            for (; j < n; j += 8) {
                __mmask8 mask = n - j < 8 ? (__mmask8)((1u << (n - j)) - 1) : 0xff;
                double *c = C + (long)i * ldc + j;
                __m512d b = _mm512_maskz_loadu_pd(mask, B + (long)p * ldb + j);
                _mm512_mask_storeu_pd(c, mask, _mm512_fmadd_pd(_mm512_set1_pd(a), b, _mm512_maskz_loadu_pd(mask, c)));
            }
    #endif
            for (; j < n; j++)
                C[(long)i * ldc + j] += a * B[(long)p * ldb + j];
        }
}
