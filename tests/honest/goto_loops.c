/* Honest. Loops written with goto. */
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
    if (alpha == 0)
        return;

    int i = 0, j, p;
    row:
    if (i == m)
        return;
    p = 0;
    term:
    if (p == k) {
        i++;
        goto row;
    }
    j = 0;
    column:
    if (j < n) {
        C[(long)i * ldc + j] += alpha * A[(long)i * lda + p] * B[(long)p * ldb + j];
        j++;
        goto column;
    }
    p++;
    goto term;
}
