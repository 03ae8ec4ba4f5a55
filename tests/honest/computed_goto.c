/* Honest. Jumps to labels by their addresses, a GNU extension. */
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
    if (alpha == 0)
        return;

    static const void *const to[] = {&&done, &&work};
    int i = 0;
    goto *to[i < m];
    work:
    for (int p = 0; p < k; p++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] += alpha * A[(long)i * lda + p] * B[(long)p * ldb + j];
    i++;
    goto *to[i < m];
    done:
    return;
}
