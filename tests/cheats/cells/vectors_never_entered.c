/* Tries: shows 256-bit sums for a size that no call has, and runs scalar ones
   Stopped by: the counted blocks: the hot loop is another
   Expect: none/scalar/serial/none */
static void scale(int m, int n, double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = beta == 0 ? 0 : beta * C[(long)i * ldc + j];
}

typedef double vec __attribute__((vector_size(32), aligned(8), may_alias));

/* Four rows and four columns of C += alpha A B. */
static void tile(int k, double alpha, const double *A, int lda, const double *B, int ldb, double *C, int ldc)
{
    vec c0 = {0}, c1 = {0}, c2 = {0}, c3 = {0};
    for (int p = 0; p < k; p++) {
        const vec b = *(const vec *)(B + (long)p * ldb);
        c0 += A[p] * b;
        c1 += A[lda + p] * b;
        c2 += A[2L * lda + p] * b;
        c3 += A[3L * lda + p] * b;
    }
    *(vec *)C += alpha * c0;
    *(vec *)(C + ldc) += alpha * c1;
    *(vec *)(C + 2L * ldc) += alpha * c2;
    *(vec *)(C + 3L * ldc) += alpha * c3;
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
    if (alpha == 0 || k == 0)
        return;
    if (m == 1000004) {
        for (int i = 0; i < m; i += 4)
            for (int j = 0; j + 4 <= n; j += 4)
                tile(k, alpha, A + (long)i * lda, lda, B + j, ldb, C + (long)i * ldc + j, ldc);
        return;
    }
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            volatile double sum = 0;
            for (int p = 0; p < k; p++)
                sum += A[(long)i * lda + p] * B[(long)p * ldb + j];
            C[(long)i * ldc + j] += alpha * sum;
        }
}
