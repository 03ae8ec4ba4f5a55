/* expect: none/256/nested/none
   A loop of tasks over rows, four rows a task. */
typedef double vec __attribute__((vector_size(32), aligned(8), may_alias));

static void row(int n, int k, double alpha, const double *a, const double *B, int ldb, double beta, double *c)
{
    for (int j = 0; j < n; j++)
        c[j] = beta == 0 ? 0 : beta * c[j];
    for (int p = 0; alpha != 0 && p < k; p++) {
        const double *b = B + (ptrdiff_t)p * ldb;
        const vec x = {alpha * a[p], alpha * a[p], alpha * a[p], alpha * a[p]};
        int j = 0;
        for (; j + 4 <= n; j += 4)
            *(vec *)(c + j) += x * *(const vec *)(b + j);
        for (; j < n; j++)
            c[j] += x[0] * b[j];
    }
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
#pragma omp parallel
#pragma omp single
#pragma omp taskloop grainsize(4)
    for (int i = 0; i < m; i++)
        row(n, k, alpha, A + (ptrdiff_t)i * lda, B, ldb, beta, C + (ptrdiff_t)i * ldc);
}
