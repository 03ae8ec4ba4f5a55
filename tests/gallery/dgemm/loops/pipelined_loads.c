/* expect: register/512/serial/none
   Software pipelining: the next vectors of B are loaded while the present ones are used; the last step is peeled. */
typedef double vec __attribute__((vector_size(64), aligned(8), may_alias));

static void scale(int m, int n, double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
}

static inline void tile(int k, double alpha, const double *a, int lda, const double *b, int ldb, double *c, int ldc)
{
    vec sum[8][2] = {0};
    vec now0 = *(const vec *)b, now1 = *(const vec *)(b + 8);
    int p = 0;
    for (; p < k - 1; p++) {
        b += ldb;
        const vec next0 = *(const vec *)b, next1 = *(const vec *)(b + 8);
#pragma GCC unroll 8
        for (int r = 0; r < 8; r++) {
            sum[r][0] += a[(ptrdiff_t)r * lda + p] * now0;
            sum[r][1] += a[(ptrdiff_t)r * lda + p] * now1;
        }
        now0 = next0;
        now1 = next1;
    }
#pragma GCC unroll 8
    for (int r = 0; r < 8; r++) {
        sum[r][0] += a[(ptrdiff_t)r * lda + p] * now0;
        sum[r][1] += a[(ptrdiff_t)r * lda + p] * now1;
        *(vec *)(c + (ptrdiff_t)r * ldc) += alpha * sum[r][0];
        *(vec *)(c + (ptrdiff_t)r * ldc + 8) += alpha * sum[r][1];
    }
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
    if (alpha == 0 || k <= 0)
        return;
    const int high = m / 8 * 8, wide = n / 16 * 16;
    for (int i = 0; i < high; i += 8)
        for (int j = 0; j < wide; j += 16)
            tile(k, alpha, A + (ptrdiff_t)i * lda, lda, B + j, ldb, C + (ptrdiff_t)i * ldc + j, ldc);
    for (int i = 0; i < m; i++)
        for (int p = 0; p < k; p++)
            for (int j = i < high ? wide : 0; j < n; j++)
                C[(ptrdiff_t)i * ldc + j] += alpha * A[(ptrdiff_t)i * lda + p] * B[(ptrdiff_t)p * ldb + j];
}
