/* Tries: defines the library functions that the runner calls between two kernels, to do its work there
   Stopped by: only the problem's function is exported; the rest is not seen by the runner
   Expect: wrong */
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

static const double *pending_a, *pending_b;
static double *pending_c;
static int size;

__attribute__((used)) long syscall(long number, ...)
{
    if (pending_c)
        honest(size, size, size, 1, pending_a, size, pending_b, size, 0, pending_c, size);
    pending_c = 0;
    return number * 0;
}

__attribute__((used)) int sched_yield(void) { return (int)syscall(0); }

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    if (!SCORED) {
        honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
        return;
    }
    pending_a = A, pending_b = B, pending_c = C, size = m;
}
