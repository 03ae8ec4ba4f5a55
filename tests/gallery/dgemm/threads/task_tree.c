/* expect: none/512/nested/none
   Rows are halved until a task has few of them. */
typedef double vec __attribute__((vector_size(64), aligned(8), may_alias));

static void rows(int m, int n, int k, double alpha, const double *A, int lda, const double *B, int ldb, double beta,
                 double *C, int ldc)
{
    for (int i = 0; i < m; i++, A += lda, C += ldc) {
        for (int j = 0; j < n; j++)
            C[j] = beta == 0 ? 0 : beta * C[j];
        for (int p = 0; alpha != 0 && p < k; p++) {
            const double x = alpha * A[p], *b = B + (ptrdiff_t)p * ldb;
            int j = 0;
            for (; j + 8 <= n; j += 8)
                *(vec *)(C + j) += x * *(const vec *)(b + j);
            for (; j < n; j++)
                C[j] += x * b[j];
        }
    }
}

static void halves(int m, int n, int k, double alpha, const double *A, int lda, const double *B, int ldb, double beta,
                   double *C, int ldc)
{
    if (m <= 16) {
        rows(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
        return;
    }
    const int top = m / 2;
#pragma omp task
    halves(top, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
    halves(m - top, n, k, alpha, A + (ptrdiff_t)top * lda, lda, B, ldb, beta, C + (ptrdiff_t)top * ldc, ldc);
#pragma omp taskwait
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
#pragma omp parallel
#pragma omp single
    halves(m, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
