/* expect: register/256/serial/none
   The sum over p is split: four steps at a time, and a second loop for the rest. */
typedef double vec __attribute__((vector_size(32), aligned(8), may_alias));

static void scale(int m, int n, double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
}

static inline void step(vec sum[4][2], const double *a, int lda, const double *b)
{
    const vec b0 = *(const vec *)b, b1 = *(const vec *)(b + 4);
#pragma GCC unroll 4
    for (int r = 0; r < 4; r++) {
        sum[r][0] += a[(ptrdiff_t)r * lda] * b0;
        sum[r][1] += a[(ptrdiff_t)r * lda] * b1;
    }
}

static double dot(int k, const double *a, const double *b, int ldb)
{
    double sum = 0;
    for (int p = 0; p < k; p++)
        sum += a[p] * b[(ptrdiff_t)p * ldb];
    return sum;
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
    if (alpha == 0)
        return;
    int i = 0;
    for (; i + 4 <= m; i += 4) {
        const double *a = A + (ptrdiff_t)i * lda;
        int j = 0;
        for (; j + 8 <= n; j += 8) {
            vec sum[4][2] = {0};
            int p = 0;
            for (; p + 4 <= k; p += 4) {
                step(sum, a + p, lda, B + (ptrdiff_t)p * ldb + j);
                step(sum, a + p + 1, lda, B + (ptrdiff_t)(p + 1) * ldb + j);
                step(sum, a + p + 2, lda, B + (ptrdiff_t)(p + 2) * ldb + j);
                step(sum, a + p + 3, lda, B + (ptrdiff_t)(p + 3) * ldb + j);
            }
            for (; p < k; p++)
                step(sum, a + p, lda, B + (ptrdiff_t)p * ldb + j);
            for (int r = 0; r < 4; r++) {
                *(vec *)(C + (ptrdiff_t)(i + r) * ldc + j) += alpha * sum[r][0];
                *(vec *)(C + (ptrdiff_t)(i + r) * ldc + j + 4) += alpha * sum[r][1];
            }
        }
        for (; j < n; j++)
            for (int r = 0; r < 4; r++)
                C[(ptrdiff_t)(i + r) * ldc + j] += alpha * dot(k, a + (ptrdiff_t)r * lda, B + j, ldb);
    }
    for (; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] += alpha * dot(k, A + (ptrdiff_t)i * lda, B + j, ldb);
}
