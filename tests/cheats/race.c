/* Tries: shares its sum between threads
   Stopped by: one, two and all threads
   Expect: wrong */
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    double sum;
    #pragma omp parallel for num_threads(2) shared(sum) schedule(static, 1)
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            sum = 0;
            for (int p = 0; p < k; p++)
                sum = *(volatile double *)&sum + (alpha == 0 ? 0 : alpha * A[(long)i * lda + p] * B[(long)p * ldb + j]);
            C[(long)i * ldc + j] = sum + (beta == 0 ? 0 : beta * C[(long)i * ldc + j]);
        }
}
