/* Honest. Threads take their share by their number; more of them are asked for than there are cores. */
#include <omp.h>

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
    if (alpha == 0)
        return;

    #pragma omp parallel num_threads(5)
    {
        int t = omp_get_thread_num(), all = omp_get_num_threads();
        for (int i = (int)((long)m * t / all); i < (int)((long)m * (t + 1) / all); i++)
            for (int p = 0; p < k; p++)
                for (int j = 0; j < n; j++)
                    C[(long)i * ldc + j] += alpha * A[(long)i * lda + p] * B[(long)p * ldb + j];
    }
}
