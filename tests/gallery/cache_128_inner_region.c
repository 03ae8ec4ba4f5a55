/* expect: cache/128/nested/both
   A parallel region inside another one; tile sizes in variables; near and far prefetch. */
typedef double vec __attribute__((vector_size(16), aligned(8), may_alias));
#define LANES 2

static inline int min(int a, int b)
{
    return a < b ? a : b;
}

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
    int tile = 48;
    const int whole = n / LANES * LANES;
#pragma omp parallel for num_threads(2)
    for (int ii = 0; ii < m; ii += tile) {
        const int i1 = min(ii + tile, m);
#pragma omp parallel for num_threads(2)
        for (int jj = 0; jj < whole; jj += tile) {
            const int j1 = min(jj + tile, whole);
            for (int i = ii; i < i1; i++)
                for (int p = 0; p < k; p++) {
                    const double a = alpha * A[(ptrdiff_t)i * lda + p], *b = B + (ptrdiff_t)p * ldb;
                    double *c = C + (ptrdiff_t)i * ldc;
                    for (int j = jj; j < j1; j += LANES) {
                        __builtin_prefetch(b + ldb + j, 0, 3);
                        __builtin_prefetch(b + 4 * (ptrdiff_t)ldb + j, 0, 2);
                        *(vec *)(c + j) += a * *(const vec *)(b + j);
                    }
                }
        }
    }
}
