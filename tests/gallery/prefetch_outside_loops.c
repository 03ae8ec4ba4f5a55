/* expect: none/512/static/none
   Decoy: prefetches before the loops only. */
typedef double vec __attribute__((vector_size(64), aligned(8), may_alias));
#define LANES 8

static void scale(int m, int n, double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    __builtin_prefetch(A, 0, 3);
    __builtin_prefetch(B, 0, 1);
    scale(m, n, beta, C, ldc);
    const int whole = n / LANES * LANES;
#pragma omp parallel
    {
        __builtin_prefetch(B + ldb, 0, 3);
#pragma omp for
        for (int i = 0; i < m; i++) {
            double *c = C + (ptrdiff_t)i * ldc;
            for (int p = 0; p < k; p++) {
                const double a = alpha * A[(ptrdiff_t)i * lda + p], *b = B + (ptrdiff_t)p * ldb;
                int j = 0;
                for (; j < whole; j += LANES)
                    *(vec *)(c + j) += a * *(const vec *)(b + j);
                for (; j < n; j++)
                    c[j] += a * b[j];
            }
        }
    }
}
