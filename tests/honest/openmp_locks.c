/* Honest. Threads share the inner dimension and add to C under locks. */
#include <omp.h>

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
    if (alpha == 0)
        return;

    omp_lock_t lock[8];
    for (int t = 0; t < 8; t++)
        omp_init_lock(lock + t);
    #pragma omp parallel for schedule(dynamic)
    for (int p = 0; p < k; p++)
        for (int i = 0; i < m; i++) {
            omp_set_lock(lock + i % 8);
            for (int j = 0; j < n; j++)
                C[(long)i * ldc + j] += alpha * A[(long)i * lda + p] * B[(long)p * ldb + j];
            omp_unset_lock(lock + i % 8);
        }
    for (int t = 0; t < 8; t++)
        omp_destroy_lock(lock + t);
}
