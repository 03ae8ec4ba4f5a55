/* Honest. C11 and GNU spellings: _Generic, typeof, _Static_assert, statement expressions, designated initialisers. */
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
    if (alpha == 0)
        return;

    _Static_assert(sizeof(double) == 8, "binary64");
    typeof(*C) one = _Generic(alpha, double: 1.0, default: 0.0);
    struct shape { int m, n, k; } s = {.k = k, .n = n, .m = m};
    for (int i = 0; i < s.m; i++)
        for (int p = 0; p < s.k; p++) {
            double a = ({ double x = alpha * A[(long)i * lda + p]; one * x; });
            for (int j = 0; j < s.n; j++)
                C[(long)i * ldc + j] += a * B[(long)p * ldb + j];
        }
}
