/* expect: none/512/nested/far
   One task per row; B is fetched into L2 only. */
typedef double vec __attribute__((vector_size(64), aligned(8), may_alias));
#define LANES 8

static void scale(int m, int n, double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
}

static void row(int n, int k, double alpha, const double *a, const double *B, int ldb, double *c)
{
    const int whole = n / LANES * LANES;
    for (int p = 0; p < k; p++, B += ldb) {
        int j = 0;
        for (; j < whole; j += LANES) {
            __builtin_prefetch(B + 2 * (ptrdiff_t)ldb + j, 0, 2);
            *(vec *)(c + j) += alpha * a[p] * *(const vec *)(B + j);
        }
        for (; j < n; j++)
            c[j] += alpha * a[p] * B[j];
    }
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
#pragma omp parallel
#pragma omp single
    for (int i = 0; i < m; i++) {
#pragma omp task
        row(n, k, alpha, A + (ptrdiff_t)i * lda, B, ldb, C + (ptrdiff_t)i * ldc);
    }
}
