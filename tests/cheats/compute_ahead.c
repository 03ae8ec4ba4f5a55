/* Tries: learns the addresses of a block's calls, and computes the others when the first one comes, which may be
              an untimed one to warm up
   Stopped by: no call of a kernel is untimed: its threads are woken by the runner, and fresh inputs come with
              each round
   Expect: wrong, implausible */
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

static const double *a[32], *b[32];
static double *c[32];
static int used;

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    if (!SCORED) {
        honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
        return;
    }
    for (int s = 0; s < used; s++)
        if (c[s] == C) {
            for (int t = 1; s == 0 && t < used; t++)
                honest(m, n, k, alpha, a[t], lda, b[t], ldb, beta, c[t], ldc);
            return;
        }
    if (used < 32)
        a[used] = A, b[used] = B, c[used++] = C;
    honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
