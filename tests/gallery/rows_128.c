/* expect: none/128/static/none
   Rows of C as sums of rows of B, 128-bit vectors; a static share of rows per thread. */
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
#pragma omp parallel for
    for (int i = 0; i < m; i++) {
        double *c = C + (ptrdiff_t)i * ldc;
        for (int p = 0; p < k; p++) {
            const double a = alpha * A[(ptrdiff_t)i * lda + p], *b = B + (ptrdiff_t)p * ldb;
            int j = 0;
#pragma GCC unroll 1
            for (; j < whole; j += LANES)
                *(vec *)(c + j) += a * *(const vec *)(b + j);
            for (; j < n; j++)
                c[j] += a * b[j];
        }
    }
}
