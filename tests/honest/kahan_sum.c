/* Honest. Compensated summation; the compensation is dropped where it is not finite. */
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0, rest = 0;
            if (alpha != 0)
                for (int p = 0; p < k; p++) {
                    double term = A[(long)i * lda + p] * B[(long)p * ldb + j] - rest, next = sum + term;
                    rest = next - sum - term;
                    if (!(rest - rest == 0))
                        rest = 0;
                    sum = next;
                }
            C[(long)i * ldc + j] = alpha * sum + (beta == 0 ? 0 : beta * C[(long)i * ldc + j]);
        }
}
