/* Tries: prefetches in a branch that no call takes
   Stopped by: the counted blocks
   Expect: none/any/serial/none */
static void scale(int m, int n, double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
    if (alpha == 0 || k == 0)
        return;
    for (int i = 0; i < m; i++)
        for (int p = 0; p < k; p++) {
            const double a = alpha * A[(long)i * lda + p];
            if (n == 1000007) {
                __builtin_prefetch(B + (long)(p + 1) * ldb, 0, 3);
                __builtin_prefetch(B + (long)(p + 2) * ldb, 0, 1);
            }
            for (int j = 0; j < n; j++)
                C[(long)i * ldc + j] += a * B[(long)p * ldb + j];
        }
}
