/* Tries: computes alpha A B also for alpha = 0, and beta C for beta = 0
   Stopped by: NaN in what must not be read
   Expect: wrong */
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int p = 0; p < k; p++)
                sum += A[(long)i * lda + p] * B[(long)p * ldb + j];
            C[(long)i * ldc + j] = alpha * sum + beta * C[(long)i * ldc + j];
        }
}
