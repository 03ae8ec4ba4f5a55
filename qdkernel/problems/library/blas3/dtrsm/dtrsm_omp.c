/* Strips of columns of B for the threads, rows in vectors; from the right, rows of B, each by itself. */
#include <stddef.h>

#define STRIP 64 /* tune: 16, 32, 64, 128 */

void dtrsm(int right, int lower, int trans, int unit, int m, int n, double alpha, const double *restrict A, int lda,
           double *restrict B, int ldb)
{
    /* X A = B is A' X' = B': the same equations with the triangle and B transposed. */
    const int order = right ? n : m, turned = right ? !trans : trans, upper = turned ? lower : !lower;
    const ptrdiff_t down = turned ? 1 : lda, along = turned ? lda : 1;
    const int parts = right ? m : n / STRIP + (n % STRIP != 0);
#pragma omp parallel for schedule(static)
    for (int part = 0; part < parts; part++)
        for (int s = 0; s < order; s++) {
            const int i = upper ? order - 1 - s : s, first = upper ? i + 1 : 0, last = upper ? order : i;
            const double pivot = unit ? 1 : A[i * down + i * along];
            if (right) {
                double *row = B + (ptrdiff_t)part * ldb, sum = 0;
#pragma omp simd reduction(+ : sum)
                for (int p = first; p < last; p++)
                    sum += A[i * down + p * along] * row[p];
                row[i] = (alpha * row[i] - sum) / pivot;
                continue;
            }
            const int left = part * STRIP, width = n - left < STRIP ? n - left : STRIP;
            double *row = B + (ptrdiff_t)i * ldb + left;
            for (int j = 0; j < width; j++)
                row[j] *= alpha;
            for (int p = first; p < last; p++) {
                const double factor = A[i * down + p * along], *from = B + (ptrdiff_t)p * ldb + left;
#pragma omp simd
                for (int j = 0; j < width; j++)
                    row[j] -= factor * from[j];
            }
            for (int j = 0; j < width; j++)
                row[j] /= pivot;
        }
}
