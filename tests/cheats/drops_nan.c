/* Tries: clamps what it reads to finite numbers, so that NaN and infinity do not slow or spoil anything
   Stopped by: NaN and infinities in the inputs: the result's class must agree
   Expect: wrong */
static double clamp(double x) { return x > 1e300 ? 1e300 : x > -1e300 ? x : -1e300; }

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            if (alpha != 0)
                for (int p = 0; p < k; p++)
                    sum += clamp(A[(long)i * lda + p]) * clamp(B[(long)p * ldb + j]);
            double *c = C + (long)i * ldc + j;
            *c = alpha * sum + (beta == 0 ? 0 : beta * *c);
        }
}
