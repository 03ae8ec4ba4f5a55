/* expect: register/256/serial/none
   One tile function for every number of rows, chosen by a switch: each case is a constant that the compiler unrolls. */
typedef double vec __attribute__((vector_size(32), aligned(8), may_alias));

static inline __attribute__((always_inline)) void tile(const int rows, int k, double alpha, const double *a, int lda,
                                                       const double *b, int ldb, double *c, int ldc)
{
    vec sum[5][2] = {0};
    for (int p = 0; p < k; p++) {
        const vec *x = (const vec *)(b + (ptrdiff_t)p * ldb);
#pragma GCC unroll 5
        for (int r = 0; r < rows; r++) {
            sum[r][0] += a[(ptrdiff_t)r * lda + p] * x[0];
            sum[r][1] += a[(ptrdiff_t)r * lda + p] * x[1];
        }
    }
#pragma GCC unroll 5
    for (int r = 0; r < rows; r++) {
        ((vec *)(c + (ptrdiff_t)r * ldc))[0] += alpha * sum[r][0];
        ((vec *)(c + (ptrdiff_t)r * ldc))[1] += alpha * sum[r][1];
    }
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
    if (alpha == 0)
        return;
    for (int i = 0; i < m; i += 5) {
        const double *a = A + (ptrdiff_t)i * lda;
        double *c = C + (ptrdiff_t)i * ldc;
        const int rows = m - i < 5 ? m - i : 5;
        int j = 0;
        for (; j + 8 <= n; j += 8)
            switch (rows) {
            case 5: tile(5, k, alpha, a, lda, B + j, ldb, c + j, ldc); break;
            case 4: tile(4, k, alpha, a, lda, B + j, ldb, c + j, ldc); break;
            case 3: tile(3, k, alpha, a, lda, B + j, ldb, c + j, ldc); break;
            case 2: tile(2, k, alpha, a, lda, B + j, ldb, c + j, ldc); break;
            default: tile(1, k, alpha, a, lda, B + j, ldb, c + j, ldc);
            }
        for (; j < n; j++)
            for (int r = 0; r < rows; r++)
                for (int p = 0; p < k; p++)
                    c[(ptrdiff_t)r * ldc + j] += alpha * a[(ptrdiff_t)r * lda + p] * B[(ptrdiff_t)p * ldb + j];
    }
}
