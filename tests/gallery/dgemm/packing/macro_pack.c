/* expect: packed/512/serial/none
   The packing of both operands is one macro, used twice with other strides. */
typedef double vec __attribute__((vector_size(64), aligned(8), may_alias));
#define KC 96
#define MC 32
#define NC 128
#define MR 4
#define NR 16
#define MIN(a, b) ((a) < (b) ? (a) : (b))
/* strips of WIDTH lanes, element (lane, p) at from[lane * LANE + p * STEP]; lanes behind the last are zero */
#define PACK(to, from, lanes, depth, WIDTH, LANE, STEP)                                             \
    for (int s_ = 0; s_ < (lanes); s_ += (WIDTH))                                                   \
        for (int p_ = 0; p_ < (depth); p_++)                                                        \
            for (int l_ = 0; l_ < (WIDTH); l_++)                                                    \
                (to)[(size_t)s_ * (depth) + p_ * (WIDTH) + l_] =                                    \
                    s_ + l_ < (lanes) ? (from)[(ptrdiff_t)(s_ + l_) * (LANE) + (ptrdiff_t)p_ * (STEP)] : 0

static double a_strips[MC * KC], b_strips[NC * KC];

static void tile(int kc, double alpha, const double *a, const double *b, int rows, int cols, double *c, int ldc)
{
    vec sum[MR][2] = {0};
    for (int p = 0; p < kc; p++, a += MR, b += NR)
#pragma GCC unroll 8
        for (int r = 0; r < MR; r++) {
            sum[r][0] += a[r] * ((const vec *)b)[0];
            sum[r][1] += a[r] * ((const vec *)b)[1];
        }
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < cols; j++)
            c[(ptrdiff_t)r * ldc + j] += alpha * ((const double *)sum[r])[j];
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
    if (alpha == 0)
        return;
    for (int pc = 0; pc < k; pc += KC) {
        const int kc = MIN(KC, k - pc);
        for (int jc = 0; jc < n; jc += NC) {
            const int nc = MIN(NC, n - jc);
            PACK(b_strips, B + (ptrdiff_t)pc * ldb + jc, nc, kc, NR, 1, ldb);
            for (int ic = 0; ic < m; ic += MC) {
                const int mc = MIN(MC, m - ic);
                PACK(a_strips, A + (ptrdiff_t)ic * lda + pc, mc, kc, MR, lda, 1);
                for (int j = 0; j < nc; j += NR)
                    for (int i = 0; i < mc; i += MR)
                        tile(kc, alpha, a_strips + (size_t)i * kc, b_strips + (size_t)j * kc, MIN(MR, mc - i),
                             MIN(NR, nc - j), C + (ptrdiff_t)(ic + i) * ldc + jc + j, ldc);
            }
        }
    }
}
