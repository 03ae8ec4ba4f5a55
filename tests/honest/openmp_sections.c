/* Honest. Two sections, one half of the rows each. */
static void rows(int from, int to, int n, int k, double alpha, const double *A, int lda, const double *B, int ldb,
                 double *C, int ldc)
{
    for (int i = from; i < to; i++)
        for (int p = 0; p < k; p++)
            for (int j = 0; j < n; j++)
                C[(long)i * ldc + j] += alpha * A[(long)i * lda + p] * B[(long)p * ldb + j];
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
    if (alpha == 0)
        return;

    #pragma omp parallel sections
    {
    #pragma omp section
        rows(0, m / 2, n, k, alpha, A, lda, B, ldb, C, ldc);
    #pragma omp section
        rows(m / 2, m, n, k, alpha, A, lda, B, ldb, C, ldc);
    }
}
