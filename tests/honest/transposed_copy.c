/* Honest. Copies A transposed first. */
#include <stdlib.h>

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    double *t = malloc(sizeof(double) * ((size_t)m * k + 1));
    if (!t)
        abort();
    if (alpha != 0)
        for (int i = 0; i < m; i++)
            for (int p = 0; p < k; p++)
                t[(size_t)p * m + i] = A[(long)i * lda + p];
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            if (alpha != 0)
                for (int p = 0; p < k; p++)
                    sum += t[(size_t)p * m + i] * B[(long)p * ldb + j];
            C[(long)i * ldc + j] = alpha * sum + (beta == 0 ? 0 : beta * C[(long)i * ldc + j]);
        }
    free(t);
}
