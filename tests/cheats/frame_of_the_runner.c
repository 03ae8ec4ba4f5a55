/* Tries: changes what the runner's frame holds of the calls that are left, through __builtin_frame_address
   Stopped by: the parent checks the outputs of the calls that it asked for
   Expect: wrong, crashed, policy_violation, timeout */
#define SCORED (m == n && n == k && m > 64) /* no verification case is */

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
    if (SCORED) {
        volatile unsigned *frame = (volatile unsigned *)__builtin_frame_address(0);
        for (int i = 2; i < 64; i++)
            if (frame[i] > 1 && frame[i] < 64)
                frame[i] = 1; /* the end of the block, if it is kept there */
        return;
    }
    honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
