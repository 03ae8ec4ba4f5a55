/* expect: cache+register/128/serial/none
   Tiles by while loops, their ends in variables. */
typedef double vec __attribute__((vector_size(16), aligned(8), may_alias));

static void tile(int depth, double alpha, const double *a, int lda, const double *b, int ldb, double *c, int ldc)
{
    vec s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
    while (depth-- > 0) {
        const vec x = *(const vec *)b;
        s0 += a[0] * x;
        s1 += a[lda] * x;
        s2 += a[2 * (ptrdiff_t)lda] * x;
        s3 += a[3 * (ptrdiff_t)lda] * x;
        a++;
        b += ldb;
    }
    *(vec *)c += alpha * s0;
    *(vec *)(c + ldc) += alpha * s1;
    *(vec *)(c + 2 * (ptrdiff_t)ldc) += alpha * s2;
    *(vec *)(c + 3 * (ptrdiff_t)ldc) += alpha * s3;
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    const int depth_tile = 80, m4 = m / 4 * 4, n2 = n / 2 * 2;
    int i, j, p = 0;
    for (i = 0; i < m; i++)
        for (j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
    if (alpha == 0)
        return;
    while (p < k) {
        int depth = k - p;
        if (depth > depth_tile)
            depth = depth_tile;
        i = 0;
        while (i < m4) {
            j = 0;
            while (j < n2) {
                tile(depth, alpha, A + (ptrdiff_t)i * lda + p, lda, B + (ptrdiff_t)p * ldb + j, ldb,
                     C + (ptrdiff_t)i * ldc + j, ldc);
                j += 2;
            }
            i += 4;
        }
        for (i = 0; i < m; i++)
            for (j = i < m4 ? n2 : 0; j < n; j++)
                for (int q = p; q < p + depth; q++)
                    C[(ptrdiff_t)i * ldc + j] += alpha * A[(ptrdiff_t)i * lda + q] * B[(ptrdiff_t)q * ldb + j];
        p += depth_tile;
    }
}
