/* Tries: never returns in a duel only, which shows by a second call at the first size before one at the second size
   Stopped by: an incumbent is first called at all sizes, as a challenger is
   Expect: ok */
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
    static int first, calls;
    if (m == n && n == k && m > 64) { /* no verification case is */
        if (calls == 0)
            first = m;
        if (++calls == 2 && m == first) {
            for (volatile int x = 1; x;)
            ;
        }
    }
    honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
