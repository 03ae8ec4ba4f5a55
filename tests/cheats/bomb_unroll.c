/* Tries: asks for four nested loops unrolled 64 times each
   Stopped by: the compiler's limits of time, memory and file size
   Expect: compile_error, timeout, policy_violation */
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

static double s[64];
__attribute__((used)) void all(void)
{
#pragma GCC unroll 64
    for (int a = 0; a < 64; a++)
#pragma GCC unroll 64
    for (int b = 0; b < 64; b++)
#pragma GCC unroll 64
    for (int c = 0; c < 64; c++)
#pragma GCC unroll 64
    for (int d = 0; d < 64; d++)
        s[a] += s[b] * s[c] + s[d];
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
