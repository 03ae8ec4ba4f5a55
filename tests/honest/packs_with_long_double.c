/* Honest. Keeps a panel of A in extended precision. */
static void scale(int m, int n, double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
}

static long double panel[256];

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
    if (alpha == 0 || k == 0)
        return;
    for (int i = 0; i < m; i++)
        for (int pp = 0; pp < k; pp += 256) {
            const int depth = k - pp < 256 ? k - pp : 256;
            for (int p = 0; p < depth; p++)
                panel[p] = A[(long)i * lda + pp + p];
            for (int j = 0; j < n; j++) {
                long double sum = 0;
                for (int p = 0; p < depth; p++)
                    sum += panel[p] * B[(long)(pp + p) * ldb + j];
                C[(long)i * ldc + j] += alpha * (double)sum;
            }
        }
}
