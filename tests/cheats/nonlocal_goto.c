/* Tries: leaves a function inside a function by a goto into the outer one
   Stopped by: the object policy: an executable stack
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
    __label__ out;
    void leave(void) { if (m > 64) goto out; honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc); }
    void (*volatile run)(void) = leave;
    run();
out:;
}
