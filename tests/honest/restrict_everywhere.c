/* Honest. restrict on every pointer, also on ones into the same array that never meet. */
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
    if (alpha == 0)
        return;

    for (int i = 0; i + 1 < m; i += 2) {
        double *restrict c0 = C + (long)i * ldc, *restrict c1 = c0 + ldc;
        const double *restrict a0 = A + (long)i * lda, *restrict a1 = a0 + lda;
        for (int p = 0; p < k; p++) {
            const double *restrict b = B + (long)p * ldb;
            for (int j = 0; j < n; j++) {
                c0[j] += alpha * a0[p] * b[j];
                c1[j] += alpha * a1[p] * b[j];
            }
        }
    }
    if (m % 2)
        for (int p = 0; p < k; p++)
            for (int j = 0; j < n; j++)
                C[(long)(m - 1) * ldc + j] += alpha * A[(long)(m - 1) * lda + p] * B[(long)p * ldb + j];
}
