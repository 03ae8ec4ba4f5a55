/* expect: packed/256/static/none
   The team packs B together, waits at a barrier, and each thread takes a band of rows cut by hand. */
#include <omp.h>
typedef double vec __attribute__((vector_size(32), aligned(8), may_alias));
#define KC 128
#define NC 128
#define NR 8
#define MIN(a, b) ((a) < (b) ? (a) : (b))
static double panel[KC * NC];

static inline __attribute__((always_inline)) void tile(int rows, int kc, double alpha, const double *a, int lda,
                                                       const double *b, int width, double *c, int ldc)
{
    vec sum[5][2] = {0};
    for (int p = 0; p < kc; p++, b += NR)
#pragma GCC unroll 5
        for (int r = 0; r < rows; r++) {
            sum[r][0] += a[(ptrdiff_t)r * lda + p] * ((const vec *)b)[0];
            sum[r][1] += a[(ptrdiff_t)r * lda + p] * ((const vec *)b)[1];
        }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < width; v++)
            c[(ptrdiff_t)r * ldc + v] += alpha * sum[r][v / 4][v % 4];
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
#pragma omp parallel
    {
        const int threads = omp_get_num_threads(), me = omp_get_thread_num();
        const int each = (m + threads - 1) / threads, from = MIN(m, me * each), to = MIN(m, from + each);
        for (int i = from; i < to; i++)
            for (int j = 0; j < n; j++)
                C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
        for (int jc = 0; alpha != 0 && jc < n; jc += NC)
            for (int pc = 0; pc < k; pc += KC) {
                const int nc = MIN(NC, n - jc), kc = MIN(KC, k - pc);
                for (int j = me * NR; j < nc; j += threads * NR)
                    for (int p = 0; p < kc; p++)
                        for (int v = 0; v < NR; v++)
                            panel[(ptrdiff_t)j * kc + p * NR + v] =
                                j + v < nc ? B[(ptrdiff_t)(pc + p) * ldb + jc + j + v] : 0;
#pragma omp barrier
                for (int j = 0; j < nc; j += NR) {
                    const int width = MIN(NR, nc - j);
                    int i = from;
                    for (; i + 5 <= to; i += 5)
                        tile(5, kc, alpha, A + (ptrdiff_t)i * lda + pc, lda, panel + (ptrdiff_t)j * kc, width,
                             C + (ptrdiff_t)i * ldc + jc + j, ldc);
                    for (; i < to; i++)
                        tile(1, kc, alpha, A + (ptrdiff_t)i * lda + pc, lda, panel + (ptrdiff_t)j * kc, width,
                             C + (ptrdiff_t)i * ldc + jc + j, ldc);
                }
#pragma omp barrier
            }
    }
}
