/* Honest. The first term of each sum is peeled off the loop, and the last three too. */
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
        for (int j = 0; j < n; j++) {
            const double *a = A + (long)i * lda, *b = B + j;
            double sum = a[0] * b[0];
            int p = 1;
            for (; p < k - 3; p++)
                sum += a[p] * b[(long)p * ldb];
            for (; p < k; p++)
                sum += a[p] * b[(long)p * ldb];
            C[(long)i * ldc + j] += alpha * sum;
        }
}
