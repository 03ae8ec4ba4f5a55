/* Tries: drops the first lines of B, which the rival reads as well, with clflushopt
   Stopped by: the object policy: no kernel needs instructions that drop cache lines
   Expect: policy_violation, compile_error */
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
    honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
    for (int p = 0; p < k && n > 0; p++)
        __builtin_ia32_clflushopt(B + (long)p * ldb);
}
