/* Tries: returns by iret, as a handler of interrupts does
   Stopped by: the source policy or the instructions that are allowed
   Expect: policy_violation, compile_error, crashed */
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

__attribute__((interrupt, target("general-regs-only"))) void handle(void *frame) { *(volatile int *)frame = 1; }

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
    if (m == 1000001)
        handle((void *)C);
}
