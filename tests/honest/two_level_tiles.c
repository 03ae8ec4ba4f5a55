/* Honest. Tiles within tiles, by a helper for the smaller of two integers. */
static void scale(int m, int n, double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
}

static inline int least(int a, int b)
{
    return a < b ? a : b;
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
    if (alpha == 0 || k == 0)
        return;
    for (int ii = 0; ii < m; ii += 64)
        for (int pp = 0; pp < k; pp += 64)
            for (int i2 = ii; i2 < least(ii + 64, m); i2 += 16)
                for (int p2 = pp; p2 < least(pp + 64, k); p2 += 16)
                    for (int i = i2; i < least(i2 + 16, least(ii + 64, m)); i++)
                        for (int p = p2; p < least(p2 + 16, least(pp + 64, k)); p++)
                            for (int j = 0; j < n; j++)
                                C[(long)i * ldc + j] += alpha * A[(long)i * lda + p] * B[(long)p * ldb + j];
}
