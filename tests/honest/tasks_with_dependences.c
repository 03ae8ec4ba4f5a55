/* Honest. Tasks that wait for the task before them in the same column block. */
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
#pragma omp parallel
#pragma omp single
    for (int pp = 0; pp < k; pp += 64)
        for (int jj = 0; jj < n; jj += 64) {
            double *column = C + jj;
            const int width = n - jj < 64 ? n - jj : 64, depth = k - pp < 64 ? k - pp : 64;
#pragma omp task depend(inout : column[0]) firstprivate(pp, jj, width, depth)
            rows(0, m, width, depth, alpha, A + pp, lda, B + (long)pp * ldb + jj, ldb, C + jj, ldc);
        }
}
