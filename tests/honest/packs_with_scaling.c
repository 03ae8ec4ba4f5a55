/* Honest. Scales A by alpha while it copies it into a panel. */
static void scale(int m, int n, double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
}

static double panel[16 * 64];

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
    if (alpha == 0 || k == 0)
        return;
    for (int ii = 0; ii < m; ii += 16)
        for (int pp = 0; pp < k; pp += 64) {
            const int rows = m - ii < 16 ? m - ii : 16, depth = k - pp < 64 ? k - pp : 64;
            for (int i = 0; i < rows; i++)
                for (int p = 0; p < depth; p++)
                    panel[p * 16 + i] = alpha * A[(long)(ii + i) * lda + pp + p];
            for (int i = 0; i < rows; i++)
                for (int p = 0; p < depth; p++)
                    for (int j = 0; j < n; j++)
                        C[(long)(ii + i) * ldc + j] += panel[p * 16 + i] * B[(long)(pp + p) * ldb + j];
        }
}
