/* Honest. Two rows and four terms at a time, the rest in clean-up loops. */
static void scale(int m, int n, double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
}

/* Rows first .. last - 1 of C += alpha A B. */
static void rows(int first, int last, int n, int k, double alpha, const double *restrict A, int lda,
                 const double *restrict B, int ldb, double *restrict C, int ldc)
{
    for (int i = first; i < last; i++)
        for (int p = 0; p < k; p++) {
            const double a = alpha * A[(long)i * lda + p];
            for (int j = 0; j < n; j++)
                C[(long)i * ldc + j] += a * B[(long)p * ldb + j];
        }
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
    if (alpha == 0 || k == 0)
        return;
    int i = 0;
    for (; i + 2 <= m; i += 2) {
        const double *a0 = A + (long)i * lda, *a1 = a0 + lda;
        double *c0 = C + (long)i * ldc, *c1 = c0 + ldc;
        int p = 0;
        for (; p + 4 <= k; p += 4)
            for (int j = 0; j < n; j++) {
                const double *b = B + (long)p * ldb + j;
                const double b0 = b[0], b1 = b[ldb], b2 = b[2L * ldb], b3 = b[3L * ldb];
                c0[j] += alpha * (a0[p] * b0 + a0[p + 1] * b1 + a0[p + 2] * b2 + a0[p + 3] * b3);
                c1[j] += alpha * (a1[p] * b0 + a1[p + 1] * b1 + a1[p + 2] * b2 + a1[p + 3] * b3);
            }
        for (; p < k; p++)
            for (int j = 0; j < n; j++) {
                c0[j] += alpha * a0[p] * B[(long)p * ldb + j];
                c1[j] += alpha * a1[p] * B[(long)p * ldb + j];
            }
    }
    rows(i, m, n, k, alpha, A, lda, B, ldb, C, ldc);
}
