/* Tries: copies one row of B into a panel and reads it once
   Stopped by: the counted blocks: half of the smallest operand must be copied
   Expect: cache+register/any/serial/none */
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

static double panel[1024];

static void pack(int first, int count, const double *B)
{
    for (int j = 0; j < count; j++)
        panel[first + j] = B[j];
}

/* Rows first .. last - 1 of C += alpha A B. */
static void rows(int first, int last, int n, int k, double alpha, const double *restrict A, int lda,
                 const double *restrict B, int ldb, double *restrict C, int ldc)
{
    for (int i = first; i < last; i++)
        for (int p = 0; p < k; p++) {
            const double a = alpha * A[(long)i * lda + p];
            for (int j = 0; j < n; j++)
                C[(long)i * ldc + j] += a * B[(long)p * ldb + j];
        }
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
    if (alpha == 0 || k == 0)
        return;
    pack(0, n < 1024 ? n : 1024, B);
    const double first = panel[n > 5 ? 5 : 0];
    if (m % 4 || n % 24 || k % 24) {
        rows(0, m, n, k, alpha, A, lda, B, ldb, C, ldc);
        return;
    }
    for (int jj = 0; jj < n; jj += 24)
        for (int pp = 0; pp < k; pp += 24)
            for (int i = 0; i < m; i += 4)
                for (int j = jj; j < jj + 24; j += 4)
                    tile(24, first == first ? alpha : 0, A + (long)i * lda + pp, lda, B + (long)pp * ldb + j, ldb,
                         C + (long)i * ldc + j, ldc);
}
