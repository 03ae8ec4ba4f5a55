/* Honest. Tiles of 7 x 11 x 13. */
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
    if (alpha == 0)
        return;

    for (int p0 = 0; p0 < k; p0 += 13)
        for (int i0 = 0; i0 < m; i0 += 7)
            for (int j0 = 0; j0 < n; j0 += 11)
                for (int i = i0; i < m && i < i0 + 7; i++)
                    for (int j = j0; j < n && j < j0 + 11; j++) {
                        double sum = 0;
                        for (int p = p0; p < k && p < p0 + 13; p++)
                            sum += A[(long)i * lda + p] * B[(long)p * ldb + j];
                        C[(long)i * ldc + j] += alpha * sum;
                    }
}
