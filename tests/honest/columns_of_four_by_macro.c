/* Honest. A macro writes the body of a four-column tile. */
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

#define TERM(Q) s##Q += A[(long)i * lda + p] * B[(long)p * ldb + j + Q]

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
    if (alpha == 0 || k == 0)
        return;
    int j = 0;
    for (; j + 4 <= n; j += 4)
        for (int i = 0; i < m; i++) {
            double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
            for (int p = 0; p < k; p++) {
                TERM(0);
                TERM(1);
                TERM(2);
                TERM(3);
            }
            C[(long)i * ldc + j] += alpha * s0;
            C[(long)i * ldc + j + 1] += alpha * s1;
            C[(long)i * ldc + j + 2] += alpha * s2;
            C[(long)i * ldc + j + 3] += alpha * s3;
        }
    if (j < n)
        rows(0, m, n - j, k, alpha, A, lda, B + j, ldb, C + j, ldc);
}
