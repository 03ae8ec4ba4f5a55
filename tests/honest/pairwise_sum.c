/* Honest. Sums pairwise, by recursion. */
static double pairs(int k, const double *a, const double *b, long ldb)
{
    if (k > 8)
        return pairs(k / 2, a, b, ldb) + pairs(k - k / 2, a + k / 2, b + k / 2 * ldb, ldb);
    double sum = 0;
    for (int p = 0; p < k; p++)
        sum += a[p] * b[p * ldb];
    return sum;
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = alpha == 0 ? 0 : pairs(k, A + (long)i * lda, B + j, ldb);
            C[(long)i * ldc + j] = alpha * sum + (beta == 0 ? 0 : beta * C[(long)i * ldc + j]);
        }
}
