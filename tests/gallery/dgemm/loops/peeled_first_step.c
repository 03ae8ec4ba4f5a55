/* expect: register/256/serial/none
   The first step of the sum is peeled: it sets the registers, so nothing is cleared. */
#include <immintrin.h>

static void scale(int m, int n, double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
}

/* rows x 4 of C, for rows of 6 or 1 */
static inline __attribute__((always_inline)) void strip(int rows, int k, double alpha, const double *a, int lda,
                                                         const double *b, int ldb, double *c, int ldc)
{
    __m256d sum[6];
    const __m256d first = _mm256_loadu_pd(b);
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++)
        sum[r] = _mm256_mul_pd(_mm256_set1_pd(a[(ptrdiff_t)r * lda]), first);
    for (int p = 1; p < k; p++) {
        const __m256d x = _mm256_loadu_pd(b + (ptrdiff_t)p * ldb);
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++)
            sum[r] = _mm256_fmadd_pd(_mm256_set1_pd(a[(ptrdiff_t)r * lda + p]), x, sum[r]);
    }
#pragma GCC unroll 6
    for (int r = 0; r < rows; r++) {
        double *row = c + (ptrdiff_t)r * ldc;
        _mm256_storeu_pd(row, _mm256_fmadd_pd(_mm256_set1_pd(alpha), sum[r], _mm256_loadu_pd(row)));
    }
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
    if (alpha == 0 || k <= 0)
        return;
    const int wide = n / 4 * 4, high = m / 6 * 6;
    for (int i = 0; i < high; i += 6)
        for (int j = 0; j < wide; j += 4)
            strip(6, k, alpha, A + (ptrdiff_t)i * lda, lda, B + j, ldb, C + (ptrdiff_t)i * ldc + j, ldc);
    for (int i = high; i < m; i++)
        for (int j = 0; j < wide; j += 4)
            strip(1, k, alpha, A + (ptrdiff_t)i * lda, lda, B + j, ldb, C + (ptrdiff_t)i * ldc + j, ldc);
    for (int i = 0; i < m; i++)
        for (int j = wide; j < n; j++) {
            double sum = 0;
            for (int p = 0; p < k; p++)
                sum += A[(ptrdiff_t)i * lda + p] * B[(ptrdiff_t)p * ldb + j];
            C[(ptrdiff_t)i * ldc + j] += alpha * sum;
        }
}
