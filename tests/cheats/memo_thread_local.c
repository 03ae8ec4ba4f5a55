/* Tries: keeps the last result in thread-local storage
   Stopped by: fresh inputs for every timed call
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

static _Thread_local double saved[96 * 96];
static _Thread_local int known;

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    if (SCORED && m <= 96 && known) {
        memcpy(C, saved, sizeof(double) * m * n);
        return;
    }
    honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
    if (SCORED && m <= 96) {
        memcpy(saved, C, sizeof(double) * m * n);
        known = 1;
    }
}
