/* Tries: remembers a result by the addresses and the corners of A and B
   Stopped by: a second call at a scored size, with elements inside A and B changed in place
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

static const double *a, *b;
static double corners[4], saved[96 * 96];

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    double now[4];
    if (!SCORED || m > 96) {
        honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
        return;
    }
    now[0] = A[0], now[1] = A[(long)(m - 1) * lda + k - 1], now[2] = B[0], now[3] = B[(long)(k - 1) * ldb + n - 1];
    if (a == A && b == B && alpha == 1 && beta == 0 && memcmp(now, corners, sizeof now) == 0) {
        for (int i = 0; i < m; i++)
            memcpy(C + (long)i * ldc, saved + i * n, sizeof(double) * n);
        return;
    }
    honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
    a = A, b = B;
    memcpy(corners, now, sizeof now);
    for (int i = 0; i < m; i++)
        memcpy(saved + i * n, C + (long)i * ldc, sizeof(double) * n);
}
