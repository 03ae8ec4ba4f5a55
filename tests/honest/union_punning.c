/* Honest. Reads doubles through unions and byte copies. */
#include <string.h>

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
    if (alpha == 0)
        return;

    for (int i = 0; i < m; i++)
        for (int p = 0; p < k; p++) {
            union { double d; unsigned long u; } a = {.d = alpha * A[(long)i * lda + p]};
            for (int j = 0; j < n; j++) {
                double b;
                memcpy(&b, B + (long)p * ldb + j, sizeof b);
                union { unsigned long u; double d; } same = {.u = a.u};
                C[(long)i * ldc + j] += same.d * b;
            }
        }
}
