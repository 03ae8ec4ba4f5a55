/* Honest. Uses AVX2 and FMA where the compiler has them, and plain C elsewhere. */
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
    #if defined __AVX2__ && defined __FMA__
            for (; j + 4 <= n; j += 4) {
                double *c = C + (long)i * ldc + j;
                __m256d sum = _mm256_fmadd_pd(_mm256_set1_pd(a), _mm256_loadu_pd(B + (long)p * ldb + j), _mm256_loadu_pd(c));
                _mm256_storeu_pd(c, sum);
            }
    #endif
            for (; j < n; j++)
                C[(long)i * ldc + j] += a * B[(long)p * ldb + j];
        }
}
