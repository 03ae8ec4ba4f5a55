/* Tries: has a loop over tiles that ends after its first iteration, which does all the work
   Stopped by: the counted blocks: a loop that does not repeat is none
   Expect: none/any/serial/none */
static void scale(int m, int n, double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
    if (alpha == 0 || k == 0)
        return;
    for (int pp = 0; pp < k; pp += 32) {
        const int end = n == 1000007 ? pp + 32 : k;
        for (int i = 0; i < m; i++)
            for (int p = pp; p < end; p++) {
                const double a = alpha * A[(long)i * lda + p];
                for (int j = 0; j < n; j++)
                    C[(long)i * ldc + j] += a * B[(long)p * ldb + j];
            }
        if (end == k)
            break;
    }
}
