/* expect: packed/512/static/near
   The five loops of GotoBLAS and BLIS: B packed by the team, A by each thread, rows of blocks shared out. */
typedef double vec __attribute__((vector_size(64), aligned(8), may_alias));
#define NC 256
#define KC 192
#define MC 48
#define MR 6
#define NR 16
#define MIN(a, b) ((a) < (b) ? (a) : (b))
static double b_panel[KC * NC];
static _Thread_local double a_panel[MC * KC];

static void strips(int width, int lanes, int depth, const double *from, int across, int along, double *to)
{
    for (int p = 0; p < depth; p++)
        for (int l = 0; l < width; l++)
            *to++ = l < lanes ? from[(ptrdiff_t)l * across + (ptrdiff_t)p * along] : 0;
}

static void micro(int kc, double alpha, const double *restrict a, const double *restrict b, int rows, int cols, double *c,
                  int ldc)
{
    vec sum[MR][2] = {0};
    for (int p = 0; p < kc; p++, a += MR, b += NR) {
        __builtin_prefetch(b + 8 * NR);
#pragma GCC unroll 6
        for (int r = 0; r < MR; r++) {
            sum[r][0] += a[r] * *(const vec *)b;
            sum[r][1] += a[r] * *(const vec *)(b + 8);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < cols; v++)
            c[(ptrdiff_t)r * ldc + v] += alpha * ((const double *)sum[r])[v];
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
#pragma omp parallel
    {
#pragma omp for schedule(static)
        for (int i = 0; i < m; i++)
            for (int j = 0; j < n; j++)
                C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
        for (int jc = 0; jc < n && alpha != 0; jc += NC)
            for (int pc = 0; pc < k; pc += KC) {
                const int nc = MIN(NC, n - jc), kc = MIN(KC, k - pc);
#pragma omp for schedule(static)
                for (int j = 0; j < nc; j += NR)
                    strips(NR, MIN(NR, nc - j), kc, B + (ptrdiff_t)pc * ldb + jc + j, 1, ldb, b_panel + (ptrdiff_t)j * kc);
#pragma omp for schedule(static)
                for (int ic = 0; ic < m; ic += MC) {
                    const int mc = MIN(MC, m - ic);
                    for (int i = 0; i < mc; i += MR)
                        strips(MR, MIN(MR, mc - i), kc, A + (ptrdiff_t)(ic + i) * lda + pc, lda, 1,
                               a_panel + (ptrdiff_t)i * kc);
                    for (int j = 0; j < nc; j += NR)
                        for (int i = 0; i < mc; i += MR)
                            micro(kc, alpha, a_panel + (ptrdiff_t)i * kc, b_panel + (ptrdiff_t)j * kc, MIN(MR, mc - i),
                                  MIN(NR, nc - j), C + (ptrdiff_t)(ic + i) * ldc + jc + j, ldc);
                }
            }
    }
}
