/* expect: none/512/dynamic/none
   Four sections, a band of rows each. */

static void band(int from, int to, int n, int k, double alpha, const double *A, int lda, const double *B, int ldb,
                 double beta, double *restrict C, int ldc)
{
    for (int i = from; i < to; i++) {
        double *restrict c = C + (ptrdiff_t)i * ldc;
        for (int j = 0; j < n; j++)
            c[j] = beta == 0 ? 0 : beta * c[j];
        for (int p = 0; alpha != 0 && p < k; p++) {
            const double x = alpha * A[(ptrdiff_t)i * lda + p], *restrict b = B + (ptrdiff_t)p * ldb;
            for (int j = 0; j < n; j++)
                c[j] += x * b[j];
        }
    }
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    const int q = m / 4;
#pragma omp parallel sections
    {
        band(0, q, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
#pragma omp section
        band(q, 2 * q, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
#pragma omp section
        band(2 * q, 3 * q, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
#pragma omp section
        band(3 * q, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
    }
}
