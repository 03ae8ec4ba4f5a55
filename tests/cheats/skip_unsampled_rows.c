/* Tries: computes only every eighth row of the scored calls and copies it down, as a test by samples would not
              see
   Stopped by: the check looks at every row
   Expect: wrong */
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

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    if (!SCORED) {
        honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
        return;
    }
    for (int i = 0; i < m; i += 8)
        honest(1, n, k, alpha, A + (long)i * lda, lda, B, ldb, beta, C + (long)i * ldc, ldc);
    for (int i = 0; i < m; i++)
        if (i % 8)
            memcpy(C + (long)i * ldc, C + (long)(i & ~7) * ldc, sizeof(double) * n);
}
