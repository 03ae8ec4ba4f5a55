/* Honest. A static buffer that is filled anew in every call: state, but no memory of results. */
static double row[4096];

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    if (n > 4096 || alpha == 0 || k == 0) {
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
        return;
    }
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++)
            row[j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
        for (int p = 0; p < k; p++)
            for (int j = 0; j < n; j++)
                row[j] += alpha * A[(long)i * lda + p] * B[(long)p * ldb + j];
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = row[j];
    }
}
