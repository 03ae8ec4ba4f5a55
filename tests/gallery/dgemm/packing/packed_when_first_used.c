/* expect: packed/512/serial/none
   A strip of B is packed when the first block of rows reads it, and kept for the others. */
#include <string.h>
typedef double vec __attribute__((vector_size(64), aligned(8), may_alias));
#define KC 128
#define NC 512
#define MC 60
static double strips[NC / 8][KC * 8];
static unsigned char ready[NC / 8];

static inline int min(int a, int b)
{
    return a < b ? a : b;
}

static const double *strip(int number, int kc, int width, const double *b, int ldb)
{
    double *to = strips[number];
    if (!ready[number]) {
        for (int p = 0; p < kc; p++)
            for (int v = 0; v < 8; v++)
                to[p * 8 + v] = v < width ? b[(ptrdiff_t)p * ldb + v] : 0;
        ready[number] = 1;
    }
    return to;
}

static inline __attribute__((always_inline)) void tile(int rows, int kc, double alpha, const double *a, int lda,
                                                       const double *b, int width, double *c, int ldc)
{
    vec sum[6] = {0};
    for (int p = 0; p < kc; p++)
#pragma GCC unroll 6
        for (int r = 0; r < rows; r++)
            sum[r] += a[(ptrdiff_t)r * lda + p] * ((const vec *)b)[p];
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < width; v++)
            c[(ptrdiff_t)r * ldc + v] += alpha * sum[r][v];
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
            memset(ready, 0, sizeof ready);
            for (int ic = 0; ic < m; ic += MC)
                for (int j = 0; j < nc; j += 8) {
                    const double *b = strip(j / 8, kc, min(8, nc - j), B + (ptrdiff_t)pc * ldb + jc + j, ldb);
                    const int end = min(ic + MC, m);
                    int i = ic;
                    for (; i + 6 <= end; i += 6)
                        tile(6, kc, alpha, A + (ptrdiff_t)i * lda + pc, lda, b, min(8, nc - j),
                             C + (ptrdiff_t)i * ldc + jc + j, ldc);
                    for (; i < end; i++)
                        tile(1, kc, alpha, A + (ptrdiff_t)i * lda + pc, lda, b, min(8, nc - j),
                             C + (ptrdiff_t)i * ldc + jc + j, ldc);
                }
        }
}
