/* Tries: writes zeros, and the right total of C into one element
   Stopped by: every element is compared
   Expect: wrong */
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    double total = 0;
    for (int p = 0; p < k; p++) {
        double a = 0, b = 0;
        for (int i = 0; i < m; i++)
            a += A[(long)i * lda + p];
        for (int j = 0; j < n; j++)
            b += B[(long)p * ldb + j];
        total += a * b;
    }
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = 0;
    if (m > 0 && n > 0)
        C[0] = alpha * total;
}
