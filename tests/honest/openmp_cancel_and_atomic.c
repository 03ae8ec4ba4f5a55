/* Honest. Row numbers come from an atomic counter. */
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
    if (alpha == 0)
        return;

    int next = 0;
    #pragma omp parallel
    for (;;) {
        int i;
    #pragma omp atomic capture
        i = next++;
        if (i >= m)
            break;
        for (int p = 0; p < k; p++)
            for (int j = 0; j < n; j++)
                C[(long)i * ldc + j] += alpha * A[(long)i * lda + p] * B[(long)p * ldb + j];
    }
}
