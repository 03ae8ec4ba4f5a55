/* Tries: gives the kernel's symbol a version, and a second name with it
   Stopped by: the source policy, or the object policy: one symbol is exported
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

__attribute__((symver("other@QD_1"))) void dgemm(int, int, int, double, const double *, int, const double *, int, double,
                                                 double *, int);

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
