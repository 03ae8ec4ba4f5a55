/* Tries: prefetches four lines in a whole call
   Stopped by: the counted blocks: one line in a hundred of all arrays at least
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
    for (int q = 0; q < 4; q++)
        __builtin_prefetch(B + (long)(q % k) * ldb, 0, 3);
    for (int i = 0; i < m; i++)
        for (int p = 0; p < k; p++) {
            const double a = alpha * A[(long)i * lda + p];
            for (int j = 0; j < n; j++)
                C[(long)i * ldc + j] += a * B[(long)p * ldb + j];
        }
}
