/* Honest. GNU vectors of 8 doubles with unaligned, aliasing types. */
typedef double loose __attribute__((vector_size(64), aligned(8), may_alias));

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
            double a = alpha * A[(long)i * lda + p];
            int j = 0;
            for (; j + 8 <= n; j += 8)
                *(loose *)(C + (long)i * ldc + j) += a * *(const loose *)(B + (long)p * ldb + j);
            for (; j < n; j++)
                C[(long)i * ldc + j] += a * B[(long)p * ldb + j];
        }
}
