/* Honest. Tiles of both dimensions, collapsed and dealt out dynamically. */
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
    if (alpha == 0)
        return;

    #pragma omp parallel for collapse(2) schedule(dynamic)
    for (int i0 = 0; i0 < m; i0 += 12)
        for (int j0 = 0; j0 < n; j0 += 20)
            for (int i = i0; i < m && i < i0 + 12; i++)
                for (int p = 0; p < k; p++)
                    for (int j = j0; j < n && j < j0 + 20; j++)
                        C[(long)i * ldc + j] += alpha * A[(long)i * lda + p] * B[(long)p * ldb + j];
}
