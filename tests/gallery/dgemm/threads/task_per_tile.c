/* expect: cache+register/256/nested/none
   One task per tile of C; a task sums over all of k, so tasks wait for none. */
typedef double vec __attribute__((vector_size(32), aligned(8), may_alias));
#define MC 48
#define NC 64
#define MIN(a, b) ((a) < (b) ? (a) : (b))

static void strip(int k, double alpha, const double *a, int lda, const double *b, int ldb, double *c, int ldc)
{
    vec s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
    for (int p = 0; p < k; p++) {
        const vec x = *(const vec *)(b + (ptrdiff_t)p * ldb);
        s0 += a[p] * x;
        s1 += a[(ptrdiff_t)lda + p] * x;
        s2 += a[2 * (ptrdiff_t)lda + p] * x;
        s3 += a[3 * (ptrdiff_t)lda + p] * x;
    }
    *(vec *)c += alpha * s0;
    *(vec *)(c + ldc) += alpha * s1;
    *(vec *)(c + 2 * (ptrdiff_t)ldc) += alpha * s2;
    *(vec *)(c + 3 * (ptrdiff_t)ldc) += alpha * s3;
}

static void block(int mc, int nc, int k, double alpha, const double *A, int lda, const double *B, int ldb, double beta,
                  double *C, int ldc)
{
    for (int i = 0; i < mc; i++)
        for (int j = 0; j < nc; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
    if (alpha == 0)
        return;
    const int m4 = mc / 4 * 4, n4 = nc / 4 * 4;
    for (int i = 0; i < m4; i += 4)
        for (int j = 0; j < n4; j += 4)
            strip(k, alpha, A + (ptrdiff_t)i * lda, lda, B + j, ldb, C + (ptrdiff_t)i * ldc + j, ldc);
    for (int i = 0; i < mc; i++)
        for (int j = i < m4 ? n4 : 0; j < nc; j++)
            for (int p = 0; p < k; p++)
                C[(ptrdiff_t)i * ldc + j] += alpha * A[(ptrdiff_t)i * lda + p] * B[(ptrdiff_t)p * ldb + j];
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
#pragma omp parallel
#pragma omp single
    for (int i = 0; i < m; i += MC)
        for (int j = 0; j < n; j += NC) {
#pragma omp task firstprivate(i, j)
            block(MIN(MC, m - i), MIN(NC, n - j), k, alpha, A + (ptrdiff_t)i * lda, lda, B + j, ldb, beta,
                  C + (ptrdiff_t)i * ldc + j, ldc);
        }
}
