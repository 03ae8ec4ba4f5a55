/* expect: cache+register/256/serial/none
   Two levels of tiles: blocks for the second-level cache, smaller ones for the first inside them. */
typedef double vec __attribute__((vector_size(32), aligned(8), may_alias));
#define OUTER 192
#define INNER 64
#define MIN(a, b) ((a) < (b) ? (a) : (b))

static inline __attribute__((always_inline)) void tile(int rows, int kc, double alpha, const double *a, int lda,
                                                       const double *b, int ldb, double *c, int ldc)
{
    vec sum[4][2] = {0};
    for (int p = 0; p < kc; p++) {
        const vec x = *(const vec *)(b + (ptrdiff_t)p * ldb), y = *(const vec *)(b + (ptrdiff_t)p * ldb + 4);
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) {
            sum[r][0] += a[(ptrdiff_t)r * lda + p] * x;
            sum[r][1] += a[(ptrdiff_t)r * lda + p] * y;
        }
    }
    for (int r = 0; r < rows; r++) {
        *(vec *)(c + (ptrdiff_t)r * ldc) += alpha * sum[r][0];
        *(vec *)(c + (ptrdiff_t)r * ldc + 4) += alpha * sum[r][1];
    }
}

static void inner(int mc, int nc, int kc, double alpha, const double *A, int lda, const double *B, int ldb, double *C,
                  int ldc)
{
    int j = 0;
    for (; j + 8 <= nc; j += 8) {
        int i = 0;
        for (; i + 4 <= mc; i += 4)
            tile(4, kc, alpha, A + (ptrdiff_t)i * lda, lda, B + j, ldb, C + (ptrdiff_t)i * ldc + j, ldc);
        for (; i < mc; i++)
            tile(1, kc, alpha, A + (ptrdiff_t)i * lda, lda, B + j, ldb, C + (ptrdiff_t)i * ldc + j, ldc);
    }
    for (int i = 0; i < mc; i++)
        for (int p = 0; p < kc; p++)
            for (int q = j; q < nc; q++)
                C[(ptrdiff_t)i * ldc + q] += alpha * A[(ptrdiff_t)i * lda + p] * B[(ptrdiff_t)p * ldb + q];
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
    if (alpha == 0)
        return;
    for (int i2 = 0; i2 < m; i2 += OUTER)
        for (int p2 = 0; p2 < k; p2 += OUTER)
            for (int j2 = 0; j2 < n; j2 += OUTER)
                for (int i1 = i2; i1 < MIN(i2 + OUTER, m); i1 += INNER)
                    for (int p1 = p2; p1 < MIN(p2 + OUTER, k); p1 += INNER)
                        for (int j1 = j2; j1 < MIN(j2 + OUTER, n); j1 += INNER)
                            inner(MIN(INNER, MIN(i2 + OUTER, m) - i1), MIN(INNER, MIN(j2 + OUTER, n) - j1),
                                  MIN(INNER, MIN(p2 + OUTER, k) - p1), alpha, A + (ptrdiff_t)i1 * lda + p1, lda,
                                  B + (ptrdiff_t)p1 * ldb + j1, ldb, C + (ptrdiff_t)i1 * ldc + j1, ldc);
}
