/* Honest. Promises to the compiler: assumed values, unreachable branches, expected branches, pure functions. */
__attribute__((const, noinline, hot)) static double times(double x, double y, double z) { return x * y * z; }

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
    if (alpha == 0)
        return;

    if (m < 0 || n < 0 || k < 0)
        __builtin_unreachable();
    const double *a = __builtin_assume_aligned(A, 8);
    for (int i = 0; __builtin_expect(i < m, 1); i++)
        for (int p = 0; p < k; p++)
            for (int j = 0; j < n; j++)
                C[(long)i * ldc + j] += times(alpha, a[(long)i * lda + p], B[(long)p * ldb + j]);
}
