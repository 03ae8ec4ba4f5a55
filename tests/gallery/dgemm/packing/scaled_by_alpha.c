/* expect: packed/256/serial/none
   B is multiplied by alpha while it is packed, so that the update of C only adds. */
typedef double vec __attribute__((vector_size(32), aligned(8), may_alias));
#define KC 128
#define NC 192
#define NR 12
static double panel[KC * NC];

static inline int min(int a, int b)
{
    return a < b ? a : b;
}

static void pack(int kc, int nc, double alpha, const double *B, int ldb)
{
    double *to = panel;
    for (int j = 0; j < nc; j += NR)
        for (int p = 0; p < kc; p++)
            for (int v = 0; v < NR; v++)
                *to++ = j + v < nc ? alpha * B[(ptrdiff_t)p * ldb + j + v] : 0;
}

static inline __attribute__((always_inline)) void tile(int rows, int kc, const double *a, int lda, const double *b,
                                                       int width, double *c, int ldc)
{
    vec sum[4][3] = {0};
    for (int p = 0; p < kc; p++, b += NR)
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 3
            for (int v = 0; v < 3; v++)
                sum[r][v] += a[(ptrdiff_t)r * lda + p] * ((const vec *)b)[v];
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < width; j++)
            c[(ptrdiff_t)r * ldc + j] += ((const double *)sum[r])[j];
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
    if (alpha == 0)
        return;
    for (int jc = 0; jc < n; jc += NC)
        for (int pc = 0; pc < k; pc += KC) {
            const int nc = min(NC, n - jc), kc = min(KC, k - pc);
            pack(kc, nc, alpha, B + (ptrdiff_t)pc * ldb + jc, ldb);
            for (int j = 0; j < nc; j += NR) {
                int i = 0;
                for (; i + 4 <= m; i += 4)
                    tile(4, kc, A + (ptrdiff_t)i * lda + pc, lda, panel + (ptrdiff_t)j * kc, min(NR, nc - j),
                         C + (ptrdiff_t)i * ldc + jc + j, ldc);
                for (; i < m; i++)
                    tile(1, kc, A + (ptrdiff_t)i * lda + pc, lda, panel + (ptrdiff_t)j * kc, min(NR, nc - j),
                         C + (ptrdiff_t)i * ldc + jc + j, ldc);
            }
        }
}
