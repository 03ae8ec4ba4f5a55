/* expect: none/128/static/both
   One-dimensional shares cut by hand from the number of a thread. */
#include <omp.h>
typedef double vec __attribute__((vector_size(16), aligned(8), may_alias));
#define LANES 2

static void scale(int m, int n, double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
    const int whole = n / LANES * LANES;
#pragma omp parallel
    {
        const int threads = omp_get_num_threads(), me = omp_get_thread_num();
        const int first = (int)((long)m * me / threads), end = (int)((long)m * (me + 1) / threads);
        for (int i = first; i < end; i++)
            for (int p = 0; p < k; p++) {
                const double a = alpha * A[(ptrdiff_t)i * lda + p], *b = B + (ptrdiff_t)p * ldb;
                for (int j = 0; j < whole; j += LANES) {
                    __builtin_prefetch(b + ldb + j, 0, 3);
                    __builtin_prefetch(b + 8 * (ptrdiff_t)ldb + j, 0, 0);
                    *(vec *)(C + (ptrdiff_t)i * ldc + j) += a * *(const vec *)(b + j);
                }
            }
    }
}
