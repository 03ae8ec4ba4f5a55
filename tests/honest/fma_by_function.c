/* Honest. Every product through fma(): one rounding instead of two. */
#include <math.h>

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            if (alpha != 0)
                for (int p = 0; p < k; p++)
                    sum = fma(A[(long)i * lda + p], B[(long)p * ldb + j], sum);
            C[(long)i * ldc + j] = alpha * sum + (beta == 0 ? 0 : beta * C[(long)i * ldc + j]);
        }
}
