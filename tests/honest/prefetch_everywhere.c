/* Honest. Prefetches to all levels, also addresses behind the arrays: a prefetch never faults. */
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
            __builtin_prefetch(B + (long)(p + 64) * ldb, 0, 3);
            __builtin_prefetch(A + (long)(i + 64) * lda + p, 0, 0);
            __builtin_prefetch(C + (long)(i + 64) * ldc, 1, 1);
            for (int j = 0; j < n; j++)
                C[(long)i * ldc + j] += alpha * A[(long)i * lda + p] * B[(long)p * ldb + j];
        }
}
