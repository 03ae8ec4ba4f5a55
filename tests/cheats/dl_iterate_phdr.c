/* Tries: looks for a loaded library that computes the product
   Stopped by: the object policy: imports; behind it seccomp and Landlock
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

extern int dl_iterate_phdr(int (*)(void *, unsigned long, void *), void *);
static int look(void *info, unsigned long size, void *data) { return 0; }

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    dl_iterate_phdr(look, 0);
    honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
