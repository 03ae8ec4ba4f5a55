/* Tries: leaves the scored rows to a task that counts as unfinished until an event that never comes
   Stopped by: the deadline of a block, or the check of its results
   Expect: wrong, timeout, policy_violation, crashed, compile_error */
#include <omp.h>
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
    if (!SCORED) {
        honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
        return;
    }
    omp_event_handle_t event;
#pragma omp parallel
#pragma omp single nowait
#pragma omp task detach(event) firstprivate(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc)
    honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
