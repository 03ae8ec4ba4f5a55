/* expect: cache+register/512/dynamic/none
   Blocks of rows under a guided schedule, depth in tiles inside. */
typedef double vec __attribute__((vector_size(64), aligned(8), may_alias));
#define MC 24
#define KC 128
#define MIN(a, b) ((a) < (b) ? (a) : (b))

static inline __attribute__((always_inline)) void tile(int rows, int kc, double alpha, const double *a, int lda,
                                                       const double *b, int ldb, double *c, int ldc)
{
    vec sum[8] = {0};
    for (int p = 0; p < kc; p++) {
        const vec x = *(const vec *)(b + (ptrdiff_t)p * ldb);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
            sum[r] += a[(ptrdiff_t)r * lda + p] * x;
    }
    for (int r = 0; r < rows; r++)
        *(vec *)(c + (ptrdiff_t)r * ldc) += alpha * sum[r];
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    const int n8 = n / 8 * 8;
#pragma omp parallel for schedule(guided)
    for (int ic = 0; ic < m; ic += MC) {
        const int end = MIN(ic + MC, m);
        for (int i = ic; i < end; i++)
            for (int j = 0; j < n; j++)
                C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
        for (int pc = 0; alpha != 0 && pc < k; pc += KC) {
            const int kc = MIN(KC, k - pc);
            const double *b = B + (ptrdiff_t)pc * ldb;
            int i = ic;
            for (; i + 8 <= end; i += 8)
                for (int j = 0; j < n8; j += 8)
                    tile(8, kc, alpha, A + (ptrdiff_t)i * lda + pc, lda, b + j, ldb, C + (ptrdiff_t)i * ldc + j, ldc);
            for (; i < end; i++)
                for (int j = 0; j < n8; j += 8)
                    tile(1, kc, alpha, A + (ptrdiff_t)i * lda + pc, lda, b + j, ldb, C + (ptrdiff_t)i * ldc + j, ldc);
            for (i = ic; i < end; i++)
                for (int j = n8; j < n; j++)
                    for (int p = 0; p < kc; p++)
                        C[(ptrdiff_t)i * ldc + j] += alpha * A[(ptrdiff_t)i * lda + pc + p] * b[(ptrdiff_t)p * ldb + j];
        }
    }
}
