/* Rows of C for the threads: sums of rows of B or, from the right, of the stored rows of A and dot products with them. */
#include <stddef.h>

#define ROWS 4 /* tune: 1, 2, 4, 8, 16 */

void dsymm(int right, int lower, int m, int n, double alpha, const double *restrict A, int lda,
           const double *restrict B, int ldb, double beta, double *restrict C, int ldc)
{
    const int terms = alpha == 0 ? 0 : right ? n : m;
#pragma omp parallel for schedule(static, ROWS)
    for (int i = 0; i < m; i++) {
        double *c = C + (ptrdiff_t)i * ldc;
        for (int j = 0; j < n; j++)
            c[j] = beta == 0 ? 0 : beta * c[j];
        for (int p = 0; p < terms && !right; p++) {
            const int stored = lower ? p <= i : p >= i;
            const double factor = alpha * (stored ? A[(ptrdiff_t)i * lda + p] : A[(ptrdiff_t)p * lda + i]);
            const double *row = B + (ptrdiff_t)p * ldb;
#pragma omp simd
            for (int j = 0; j < n; j++)
                c[j] += factor * row[j];
        }
        for (int p = 0; p < terms && right; p++) {
            const int first = lower ? 0 : p + 1, last = lower ? p : n;
            const double *row = A + (ptrdiff_t)p * lda, *b = B + (ptrdiff_t)i * ldb, factor = alpha * b[p];
            double sum = 0;
#pragma omp simd reduction(+ : sum)
            for (int j = first; j < last; j++) {
                c[j] += factor * row[j];
                sum += b[j] * row[j];
            }
            c[p] += factor * row[p] + alpha * sum;
        }
    }
}
