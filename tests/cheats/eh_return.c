/* Tries: leaves through __builtin_eh_return to an address of its choice
   Stopped by: the process is disposable, and the parent judges outputs
   Expect: crashed, policy_violation, compile_error, timeout, wrong */
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
    if (m > 64)
        __builtin_eh_return(0, (char *)__builtin_return_address(0) + 64);
}
