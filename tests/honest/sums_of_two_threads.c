/* Honest. Each thread sums half of the terms into its own copy of a row. */
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
        for (int jj = 0; jj < n; jj += 128) {
            const int width = n - jj < 128 ? n - jj : 128;
            double row[128] = {0};
#pragma omp parallel for reduction(+ : row[:128])
            for (int p = 0; p < k; p++)
                for (int j = 0; j < width; j++)
                    row[j] += A[(long)i * lda + p] * B[(long)p * ldb + jj + j];
            for (int j = 0; j < width; j++)
                C[(long)i * ldc + jj + j] += alpha * row[j];
        }
}
