/* Tries: treats subnormal inputs as zero, as a flush-to-zero mode would
   Stopped by: inputs and results in the subnormal range
   Expect: wrong */
static double flush(double x) { return x > -0x1p-1022 && x < 0x1p-1022 ? 0 : x; }

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            if (alpha != 0)
                for (int p = 0; p < k; p++)
                    sum += flush(A[(long)i * lda + p]) * flush(B[(long)p * ldb + j]);
            double *c = C + (long)i * ldc + j;
            *c = alpha * sum + (beta == 0 ? 0 : beta * *c);
        }
}
