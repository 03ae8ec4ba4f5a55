/* Rows of C for the threads: sums of rows of B in vectors or, with B transposed, dot products. */
#include <stddef.h>

#define STRIP 64 /* tune: 16, 32, 64, 128, 256 */

void dgemm_trans(int transa, int transb, int m, int n, int k, double alpha, const double *restrict A, int lda,
                 const double *restrict B, int ldb, double beta, double *restrict C, int ldc)
{
    const ptrdiff_t down = transa ? 1 : lda, along = transa ? lda : 1;
    const int terms = alpha == 0 ? 0 : k;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < m; i++)
        for (int left = 0; left < n; left += STRIP) {
            const int width = n - left < STRIP ? n - left : STRIP;
            double sums[STRIP] = {0}, *c = C + (ptrdiff_t)i * ldc + left;
            if (transb) {
                for (int j = 0; j < width && terms > 0; j++) {
                    const double *row = B + (ptrdiff_t)(left + j) * ldb;
                    double sum = 0;
#pragma omp simd reduction(+ : sum)
                    for (int p = 0; p < terms; p++)
                        sum += A[i * down + p * along] * row[p];
                    sums[j] = sum;
                }
            } else {
                for (int p = 0; p < terms; p++) {
                    const double factor = A[i * down + p * along], *row = B + (ptrdiff_t)p * ldb + left;
#pragma omp simd
                    for (int j = 0; j < width; j++)
                        sums[j] += factor * row[j];
                }
            }
            for (int j = 0; j < width; j++)
                c[j] = alpha * sums[j] + (beta == 0 ? 0 : beta * c[j]);
        }
}
