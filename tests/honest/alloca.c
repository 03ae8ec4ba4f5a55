/* Honest. Scratch from alloca, through the compiler's builtin. */
#include <string.h>

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    double *row = __builtin_alloca_with_align(sizeof(double) * (n + 8), 512);
    for (int i = 0; i < m; i++) {
        memset(row, 0, sizeof(double) * n);
        if (alpha != 0)
            for (int p = 0; p < k; p++)
                for (int j = 0; j < n; j++)
                    row[j] += A[(long)i * lda + p] * B[(long)p * ldb + j];
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = alpha * row[j] + (beta == 0 ? 0 : beta * C[(long)i * ldc + j]);
    }
}
