/* C = alpha A B + beta C by the definition: one dot product per element, no blocking, one thread. */
#include <stddef.h>

void sgemm(int m, int n, int k, float alpha, const float *restrict A, int lda, const float *restrict B, int ldb, float beta,
           float *restrict C, int ldc)
{
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++) {
            float sum = 0;
            if (alpha != 0) /* the BLAS does not read A and B otherwise */
                for (int p = 0; p < k; p++)
                    sum += A[(size_t)i * lda + p] * B[(size_t)p * ldb + j];
            float *c = &C[(size_t)i * ldc + j];
            *c = beta == 0 ? alpha * sum : alpha * sum + beta * *c; /* beta = 0 overwrites, NaN included */
        }
    }
}
