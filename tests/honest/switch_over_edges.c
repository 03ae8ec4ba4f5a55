/* Honest. A switch with sixteen cases, which becomes a jump table. */
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
        for (int p = 0; p < k; p++) {
            const double a = alpha * A[(long)i * lda + p], *b = B + (long)p * ldb;
            double *c = C + (long)i * ldc;
            int j = 0;
            for (; j + 8 <= n; j += 8)
                for (int q = 0; q < 8; q++)
                    c[j + q] += a * b[j + q];
            switch (n - j) {
            case 7:
                c[j + 6] += a * b[j + 6]; /* fall through */
            case 6:
                c[j + 5] += a * b[j + 5]; /* fall through */
            case 5:
                c[j + 4] += a * b[j + 4]; /* fall through */
            case 4:
                c[j + 3] += a * b[j + 3]; /* fall through */
            case 3:
                c[j + 2] += a * b[j + 2]; /* fall through */
            case 2:
                c[j + 1] += a * b[j + 1]; /* fall through */
            case 1:
                c[j] += a * b[j];
            }
        }
}
