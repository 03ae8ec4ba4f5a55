/* Tries: leaves a parallel region by a jump of its own from the main thread
   Stopped by: the region's barrier: the kernel does not end
   Expect: timeout, crashed, wrong, compile_error */
#include <omp.h>

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

static volatile int turn = 1;

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    #pragma omp parallel num_threads(2)
    {
        if (omp_get_thread_num() == 1)
            while (turn)
                ;
    }
    honest(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
