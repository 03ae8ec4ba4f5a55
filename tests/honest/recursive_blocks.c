/* Honest. Divides the longest side until the piece is small: cache-oblivious. */
static void split(int m, int n, int k, double alpha, const double *A, int lda, const double *B, int ldb, double *C,
                  int ldc)
{
    if (m > 16 && m >= n && m >= k) {
        split(m / 2, n, k, alpha, A, lda, B, ldb, C, ldc);
        split(m - m / 2, n, k, alpha, A + (long)(m / 2) * lda, lda, B, ldb, C + (long)(m / 2) * ldc, ldc);
    } else if (n > 16 && n >= k) {
        split(m, n / 2, k, alpha, A, lda, B, ldb, C, ldc);
        split(m, n - n / 2, k, alpha, A, lda, B + n / 2, ldb, C + n / 2, ldc);
    } else if (k > 16) {
        split(m, n, k / 2, alpha, A, lda, B, ldb, C, ldc);
        split(m, n, k - k / 2, alpha, A + k / 2, lda, B + (long)(k / 2) * ldb, ldb, C, ldc);
    } else {
        for (int i = 0; i < m; i++)
            for (int p = 0; p < k; p++)
                for (int j = 0; j < n; j++)
                    C[(long)i * ldc + j] += alpha * A[(long)i * lda + p] * B[(long)p * ldb + j];
    }
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
    if (alpha == 0)
        return;
    split(m, n, k, alpha, A, lda, B, ldb, C, ldc);
}
