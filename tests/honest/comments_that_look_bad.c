/* Honest. Comments and strings with forbidden words: nothing of it is code. */
/* asm volatile("syscall"), __attribute__((constructor)), #include </etc/passwd>, fork(), × → ≤ and other signs */
static const char *const note = "asm __attribute__((section)) #pragma GCC optimize rdtsc";
// exit(0);

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
    if (alpha == 0)
        return;
    for (int i = 0; i < m; i++)
        for (int p = 0; p < k; p++) {
            double a = alpha * A[(long)i * lda + p];
            for (int j = 0; j < n; j++)
                C[(long)i * ldc + j] += a * B[(long)p * ldb + j];
        }
}
