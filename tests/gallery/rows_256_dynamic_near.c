/* expect: none/256/dynamic/near
   Threads take rows as they come free; the next row of B is fetched into L1. */
typedef double vec __attribute__((vector_size(32), aligned(8), may_alias));
#define LANES 4

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
#pragma omp parallel for schedule(dynamic, 4)
    for (int i = 0; i < m; i++) {
        double *c = C + (ptrdiff_t)i * ldc;
        for (int p = 0; p < k; p++) {
            const double a = alpha * A[(ptrdiff_t)i * lda + p], *b = B + (ptrdiff_t)p * ldb;
            int j = 0;
            for (; j < whole; j += LANES) {
                __builtin_prefetch(b + ldb + j, 0, 3);
                *(vec *)(c + j) += a * *(const vec *)(b + j);
            }
            for (; j < n; j++)
                c[j] += a * b[j];
        }
    }
}
