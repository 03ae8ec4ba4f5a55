/* Honest. Tasks for blocks of rows, made by one thread. */
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
    if (alpha == 0)
        return;

    #pragma omp parallel
    #pragma omp single
    for (int i0 = 0; i0 < m; i0 += 8)
    #pragma omp task firstprivate(i0)
        for (int i = i0; i < m && i < i0 + 8; i++)
            for (int p = 0; p < k; p++)
                for (int j = 0; j < n; j++)
                    C[(long)i * ldc + j] += alpha * A[(long)i * lda + p] * B[(long)p * ldb + j];
}
