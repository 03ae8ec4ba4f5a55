/* Honest. Every loop runs backwards. */
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = m; i-- > 0;)
        for (int j = n; j-- > 0;) {
            double sum = 0;
            if (alpha != 0)
                for (int p = k; p-- > 0;)
                    sum += A[(long)i * lda + p] * B[(long)p * ldb + j];
            C[(long)i * ldc + j] = alpha * sum + (beta == 0 ? 0 : beta * C[(long)i * ldc + j]);
        }
}
