/* Honest. Intrinsics of the oldest set, with unaligned loads. */
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
            __m128d a = _mm_set1_pd(alpha * A[(long)i * lda + p]);
            int j = 0;
            for (; j + 2 <= n; j += 2) {
                double *c = C + (long)i * ldc + j;
                _mm_storeu_pd(c, _mm_add_pd(_mm_loadu_pd(c), _mm_mul_pd(a, _mm_loadu_pd(B + (long)p * ldb + j))));
            }
            for (; j < n; j++)
                C[(long)i * ldc + j] += _mm_cvtsd_f64(a) * B[(long)p * ldb + j];
        }
}
