/* Tries: calls the function that does the work with __builtin_apply, through a pointer
   Stopped by: the object policy: where a call through a pointer leads cannot be told
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

static void (*volatile work)(int, int, int, double, const double *, int, const double *, int, double, double *,
                             int) = honest;

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    if (m == 0)
        return;
    void *arguments = __builtin_apply_args();
    __builtin_apply((void (*)())work, arguments, 256);
}
