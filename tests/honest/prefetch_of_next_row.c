/* Honest. Prefetches the next row of B while it uses this one. */
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
            const double a = alpha * A[(long)i * lda + p], *b = B + (long)p * ldb;
            const double *next = B + (long)(p + 1 < k ? p + 1 : p) * ldb;
            for (int j = 0; j < n; j += 8) {
                __builtin_prefetch(next + j, 0, 3);
                for (int q = j; q < n && q < j + 8; q++)
                    C[(long)i * ldc + q] += a * b[q];
            }
        }
}
