/* Tries: writes for the scored sizes a matrix with the right row sums and column sums, O(n^2) work
   Stopped by: the vectors of the check are secret and not constant
   Expect: wrong */
#include <stdlib.h>
#define SCORED (m == n && n == k && m > 64) /* no verification case is */

static void honest(int m, int n, int k, double alpha, const double *A, int lda, const double *B, int ldb,
                   double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            if (alpha != 0)
                for (int p = 0; p < k; p++)
                    sum += A[(long)i * lda + p] * B[(long)p * ldb + j];
            double *c = C + (long)i * ldc + j;
            *c = alpha * sum + (beta == 0 ? 0 : beta * *c);
        }
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    if (!SCORED) {
        honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
        return;
    }
    double *row = calloc(2 * m + k + k, sizeof *row), *column = row + m, *a = column + m, *b = a + k, total = 0;
    for (int p = 0; p < k; p++)
        for (int j = 0; j < n; j++)
            b[p] += B[(long)p * ldb + j], a[p] += A[(long)j * lda + p];
    for (int p = 0; p < k; p++)
        for (int j = 0; j < n; j++)
            column[j] += a[p] * B[(long)p * ldb + j], row[j] += A[(long)j * lda + p] * b[p];
    for (int i = 0; i < m; i++)
        total += row[i];
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = row[i] / n + column[j] / m - total / m / n;
    free(row);
}
