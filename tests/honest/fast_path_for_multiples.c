/* An honest kernel with paths for sizes, rows and scalars of its own, each of them right. */
static void general(int m, int n, int k, double alpha, const double *A, int lda, const double *B, int ldb,
                   double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            if (alpha != 0)
                for (int p = 0; p < k; p++)
                    sum += A[(long)i * lda + p] * B[(long)p * ldb + j];
            double *c = C + (long)i * ldc + j;
            *c = alpha * sum + (beta == 0 ? 0 : beta * *c);
        }
}

/* alpha is 1 and beta is 0, rows are contiguous, extents are multiples of eight */
static void fast(int m, int n, int k, const double *A, const double *B, double *C)
{
    for (int i = 0; i < m; i++) {
        double *c = C + (long)i * n;
        for (int j = 0; j < n; j++)
            c[j] = 0;
        for (int p = 0; p < k; p++) {
            double a = A[(long)i * k + p];
            const double *b = B + (long)p * n;
#pragma omp simd
            for (int j = 0; j < n; j++)
                c[j] += a * b[j];
        }
    }
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    if (alpha == 1 && beta == 0 && lda == k && ldb == n && ldc == n && m % 8 == 0 && n % 8 == 0 && k % 8 == 0)
        fast(m, n, k, A, B, C);
    else
        general(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
