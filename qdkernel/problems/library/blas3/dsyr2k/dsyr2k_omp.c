/* Rows of C for the threads as they become free, since their lengths differ: dot products of rows, or sums of them. */
#include <stddef.h>

#define ROWS 4 /* tune: 1, 2, 4, 8, 16 */

void dsyr2k(int lower, int trans, int n, int k, double alpha, const double *restrict A, int lda,
            const double *restrict B, int ldb, double beta, double *restrict C, int ldc)
{
    const int terms = alpha == 0 ? 0 : k;
#pragma omp parallel for schedule(dynamic, ROWS)
    for (int i = 0; i < n; i++) {
        const int first = lower ? 0 : i, last = lower ? i + 1 : n;
        double *c = C + (ptrdiff_t)i * ldc;
        for (int j = first; j < last; j++) {
            double sum = 0;
            if (!trans) {
#pragma omp simd reduction(+ : sum)
                for (int p = 0; p < terms; p++)
                    sum += A[(ptrdiff_t)i * lda + p] * B[(ptrdiff_t)j * ldb + p] +
                           B[(ptrdiff_t)i * ldb + p] * A[(ptrdiff_t)j * lda + p];
            }
            c[j] = alpha * sum + (beta == 0 ? 0 : beta * c[j]);
        }
        for (int p = 0; trans && p < terms; p++) {
            const double *a = A + (ptrdiff_t)p * lda, *b = B + (ptrdiff_t)p * ldb;
            const double from_a = alpha * a[i], from_b = alpha * b[i];
#pragma omp simd
            for (int j = first; j < last; j++)
                c[j] += from_a * b[j] + from_b * a[j];
        }
    }
}
