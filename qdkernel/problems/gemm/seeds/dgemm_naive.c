/* C = alpha A B + beta C by the definition: one dot product per element, no blocking, one thread. */
#include <stddef.h>

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb, double beta,
           double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++) {
            double sum = 0;
            if (alpha != 0) /* the BLAS does not read A and B otherwise */
                for (int p = 0; p < k; p++)
                    sum += A[(size_t)i * lda + p] * B[(size_t)p * ldb + j];
            double *c = &C[(size_t)i * ldc + j];
            *c = beta == 0 ? alpha * sum : alpha * sum + beta * *c; /* beta = 0 overwrites, NaN included */
        }
    }
}
