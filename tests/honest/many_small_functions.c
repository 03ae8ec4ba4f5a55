/* Honest. Everything in functions that may not be inlined. */
__attribute__((noinline)) static long at(long i, long j, long ld) { return i * ld + j; }

__attribute__((noinline)) static void row(int n, double a, const double *b, double *c)
{
    for (int j = 0; j < n; j++)
        c[j] += a * b[j];
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
    if (alpha == 0)
        return;

    for (int i = 0; i < m; i++)
        for (int p = 0; p < k; p++)
            row(n, alpha * A[at(i, p, lda)], B + at(p, 0, ldb), C + at(i, 0, ldc));
}
