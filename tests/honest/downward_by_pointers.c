/* Honest. Walks all three arrays by pointers, rows from last to first. */
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
    const double *a = A + (long)m * lda;
    for (double *c = C + (long)m * ldc; c != C;) {
        c -= ldc;
        a -= lda;
        const double *b = B;
        for (const double *term = a; term != a + k; term++, b += ldb)
            for (int j = n; j-- > 0;)
                c[j] += alpha * *term * b[j];
    }
}
