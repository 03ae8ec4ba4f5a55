/* expect: packed/512/serial/none
   Both operands become double precision on their way into panels, so that sums of floats lose nothing. */
typedef double vec __attribute__((vector_size(64), aligned(8), may_alias));
#define KC 96
#define MC 32
#define NC 64
#define MR 4
#define NR 16
#define MIN(a, b) ((a) < (b) ? (a) : (b))
static double a_panel[MC * KC], b_panel[KC * NC];

static void widen(int width, int count, int depth, const float *from, int across, int along, double *to)
{
    for (int first = 0; first < count; first += width)
        for (int p = 0; p < depth; p++)
            for (int l = first; l < first + width; l++)
                *to++ = l < count ? (double)from[(ptrdiff_t)l * across + (ptrdiff_t)p * along] : 0.0;
}

static void tile(int kc, float alpha, const double *a, const double *b, int rows, int cols, float *c, int ldc)
{
    vec sum[MR][2] = {0};
    for (int p = 0; p < kc; p++, a += MR, b += NR)
#pragma GCC unroll 4
        for (int r = 0; r < MR; r++) {
            sum[r][0] += a[r] * ((const vec *)b)[0];
            sum[r][1] += a[r] * ((const vec *)b)[1];
        }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < cols; v++)
            c[(ptrdiff_t)r * ldc + v] += (float)(alpha * sum[r][v / 8][v % 8]);
}

void sgemm(int m, int n, int k, float alpha, const float *restrict A, int lda, const float *restrict B, int ldb, float beta,
           float *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
    if (alpha == 0)
        return;
    for (int jc = 0; jc < n; jc += NC)
        for (int pc = 0; pc < k; pc += KC) {
            const int nc = MIN(NC, n - jc), kc = MIN(KC, k - pc);
            widen(NR, nc, kc, B + (ptrdiff_t)pc * ldb + jc, 1, ldb, b_panel);
            for (int ic = 0; ic < m; ic += MC) {
                const int mc = MIN(MC, m - ic);
                widen(MR, mc, kc, A + (ptrdiff_t)ic * lda + pc, lda, 1, a_panel);
                for (int j = 0; j < nc; j += NR)
                    for (int i = 0; i < mc; i += MR)
                        tile(kc, alpha, a_panel + (ptrdiff_t)i * kc, b_panel + (ptrdiff_t)j * kc, MIN(MR, mc - i),
                             MIN(NR, nc - j), C + (ptrdiff_t)(ic + i) * ldc + jc + j, ldc);
            }
        }
}
