/* Honest. A path of its own for square sizes that are a multiple of 16, a right one for all others. */
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    if (m == n && n == k && m % 16 == 0 && beta == 0 && alpha != 0) {
        for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j += 16) {
                double sum[16] = {0};
                for (int p = 0; p < k; p++)
                    for (int t = 0; t < 16; t++)
                        sum[t] += A[(long)i * lda + p] * B[(long)p * ldb + j + t];
                for (int t = 0; t < 16; t++)
                    C[(long)i * ldc + j + t] = alpha * sum[t];
            }
        return;
    }
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
    if (alpha == 0)
        return;
    for (int i = 0; i < m; i++)
        for (int p = 0; p < k; p++) {
            double a = alpha * A[(long)i * lda + p];
            for (int j = 0; j < n; j++)
                C[(long)i * ldc + j] += a * B[(long)p * ldb + j];
        }
}
