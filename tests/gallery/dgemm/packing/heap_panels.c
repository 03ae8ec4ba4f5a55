/* expect: packed/128/serial/none
   Panels on the heap, in a structure that is handed down. */
#include <stdlib.h>
typedef double vec __attribute__((vector_size(16), aligned(8), may_alias));
enum { KC = 100, MC = 40, MR = 4, NR = 4 };

struct panels {
    double *a, *b;
    int kc;
};

static void fill(double *to, int kc, int count, const double *from, int across, int along)
{
    for (int first = 0; first < count; first += 4)
        for (int p = 0; p < kc; p++)
            for (int l = first; l < first + 4; l++)
                *to++ = l < count ? from[(ptrdiff_t)l * across + (ptrdiff_t)p * along] : 0;
}

static void tile(const struct panels *of, int i, int j, double *t)
{
    const double *a = of->a + (ptrdiff_t)i * of->kc, *b = of->b + (ptrdiff_t)j * of->kc;
    vec sum[MR][2] = {0};
    for (int p = 0; p < of->kc; p++, a += MR, b += NR)
#pragma GCC unroll 4
        for (int r = 0; r < MR; r++) {
            sum[r][0] += a[r] * *(const vec *)b;
            sum[r][1] += a[r] * *(const vec *)(b + 2);
        }
    for (int r = 0; r < MR; r++) {
        *(vec *)(t + r * NR) = sum[r][0];
        *(vec *)(t + r * NR + 2) = sum[r][1];
    }
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
    if (alpha == 0 || m <= 0 || n <= 0)
        return;
    struct panels of = {malloc(MC * KC * sizeof(double)), malloc((size_t)(n + 3) / 4 * 4 * KC * sizeof(double)), 0};
    for (int pc = 0; pc < k; pc += KC) {
        of.kc = k - pc < KC ? k - pc : KC;
        fill(of.b, of.kc, n, B + (ptrdiff_t)pc * ldb, 1, ldb);
        for (int ic = 0; ic < m; ic += MC) {
            const int mc = m - ic < MC ? m - ic : MC;
            fill(of.a, of.kc, mc, A + (ptrdiff_t)ic * lda + pc, lda, 1);
            for (int i = 0; i < mc; i += MR)
                for (int j = 0; j < n; j += NR) {
                    double t[MR * NR];
                    tile(&of, i, j, t);
                    for (int r = 0; r < MR && i + r < mc; r++)
                        for (int v = 0; v < NR && j + v < n; v++)
                            C[(ptrdiff_t)(ic + i + r) * ldc + j + v] += alpha * t[r * NR + v];
                }
        }
    }
    free(of.a);
    free(of.b);
}
