/* Honest. Multiplies A by alpha before anything else, in a copy. */
#include <stdlib.h>

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    double *a = malloc(sizeof(double) * ((size_t)m * k + 1));
    if (!a)
        abort();
    for (int i = 0; i < m; i++)
        for (int p = 0; p < k; p++)
            a[(size_t)i * k + p] = alpha == 0 ? 0 : alpha * A[(long)i * lda + p];
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
            if (alpha != 0)
                for (int p = 0; p < k; p++)
                    sum += a[(size_t)i * k + p] * B[(long)p * ldb + j];
            C[(long)i * ldc + j] = sum;
        }
    free(a);
}
