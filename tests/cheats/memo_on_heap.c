/* Tries: keeps the last result in memory from malloc instead of a static array
   Stopped by: fresh inputs for every timed call
   Expect: wrong */
#include <stdlib.h>
#include <string.h>

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

static double *kept;

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    if (SCORED && kept) {
        memcpy(C, kept, sizeof(double) * m * n);
        return;
    }
    honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
    if (SCORED && (kept = malloc(sizeof(double) * m * n)))
        memcpy(kept, C, sizeof(double) * m * n);
}
