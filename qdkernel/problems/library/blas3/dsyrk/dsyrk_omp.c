/* Rows of C for the threads as they become free, since their lengths differ: dot products of rows of A, or sums of them. */
#include <stddef.h>

#define ROWS 4 /* tune: 1, 2, 4, 8, 16 */

void dsyrk(int lower, int trans, int n, int k, double alpha, const double *restrict A, int lda, double beta,
           double *restrict C, int ldc)
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
                    sum += A[(ptrdiff_t)i * lda + p] * A[(ptrdiff_t)j * lda + p];
            }
            c[j] = alpha * sum + (beta == 0 ? 0 : beta * c[j]);
        }
        for (int p = 0; trans && p < terms; p++) {
            const double *row = A + (ptrdiff_t)p * lda, factor = alpha * row[i];
#pragma omp simd
            for (int j = first; j < last; j++)
                c[j] += factor * row[j];
        }
    }
}
