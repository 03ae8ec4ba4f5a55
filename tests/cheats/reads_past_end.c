/* Tries: reads whole vectors over the end of B
   Stopped by: an unmapped page behind B, NaN around it
   Expect: crashed, wrong */
static void honest(int m, int n, int k, double alpha, const double *A, int lda, const double *B, int ldb,
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

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    double sum = 0;
    if (k > 0 && n > 0)
        for (int j = 0; j < 8; j++)
            sum += ((const volatile double *)B)[(long)(k - 1) * ldb + n - 1 + j];
    if (sum == 12345)
        return;
    honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
