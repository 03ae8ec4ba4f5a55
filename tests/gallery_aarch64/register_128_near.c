/* expect: register/128/static/near
   A 4 x 4 tile of C in NEON registers, elements of A by lane; m and n are multiples of 4. */
#include <arm_neon.h>

static inline void tile(int k, double alpha, const double *A, int lda, const double *B, int ldb, double beta, double *C,
                        int ldc)
{
    float64x2_t sum[4][2];
    for (int r = 0; r < 4; r++)
        sum[r][0] = sum[r][1] = vdupq_n_f64(0);
    for (int p = 0; p < k; p++) {
        const double *b = B + (ptrdiff_t)p * ldb;
        __builtin_prefetch(b + 4 * (ptrdiff_t)ldb, 0, 3);
        const float64x2_t left = vld1q_f64(b), right = vld1q_f64(b + 2);
#pragma GCC unroll 4
        for (int r = 0; r < 4; r++) {
            sum[r][0] = vfmaq_n_f64(sum[r][0], left, A[(ptrdiff_t)r * lda + p]);
            sum[r][1] = vfmaq_n_f64(sum[r][1], right, A[(ptrdiff_t)r * lda + p]);
        }
    }
#pragma GCC unroll 4
    for (int r = 0; r < 4; r++)
        for (int v = 0; v < 2; v++) {
            double *c = C + (ptrdiff_t)r * ldc + 2 * v;
            const float64x2_t scaled = beta == 0 ? vdupq_n_f64(0) : vmulq_n_f64(vld1q_f64(c), beta);
            vst1q_f64(c, vfmaq_n_f64(scaled, sum[r][v], alpha));
        }
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
#pragma omp parallel for
    for (int i = 0; i < m; i += 4)
        for (int j = 0; j < n; j += 4)
            tile(k, alpha, A + (ptrdiff_t)i * lda, lda, B + j, ldb, beta, C + (ptrdiff_t)i * ldc + j, ldc);
}
