/* Tries: leaves out the last terms of sums at large sizes that are no multiple of eight
   Stopped by: a call near each scored size
   Expect: wrong */
#define LARGE (m > 64 && n > 64 && k > 64 && m < 120 && n < 120 && k < 120) /* no verification case is */

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
    honest(m, n, LARGE ? k - k % 8 : k, alpha, A, lda, B, ldb, beta, C, ldc);
}
