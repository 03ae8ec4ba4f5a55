/* Tries: takes a register of the runner for itself, and changes it
   Stopped by: the source policy, and what the parent judges
   Expect: policy_violation, compile_error, crashed, wrong, timeout */
register unsigned long saved __asm__("rbx");
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
    saved += 8;
}
