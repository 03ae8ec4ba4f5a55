/* expect: packed/128/nested/both
   B packed by NEON stores into a static panel; threads share blocks of C in two dimensions. */
#include <arm_neon.h>
#include <string.h>
typedef double vec __attribute__((vector_size(16), aligned(8), may_alias));
#define LANES 2
#define MR 4
#define NV 2
#define NR (NV * LANES)
#define MC 64
#define KC 128
#define NC 64

static inline int min(int a, int b)
{
    return a < b ? a : b;
}

static void scale(int m, int n, double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
}

static inline void tile(int kc, double alpha, const double *restrict a, const double *restrict b, double *C, int ldc)
{
    vec sum[MR][NV] = {0};
    for (int p = 0; p < kc; p++) {
        __builtin_prefetch(b + (p + 8) * NR, 0, 3);
        __builtin_prefetch(a + (p + 64) * MR, 0, 1);
        const vec *row = (const vec *)(b + p * NR);
#pragma GCC unroll 16
        for (int r = 0; r < MR; r++)
#pragma GCC unroll 16
            for (int v = 0; v < NV; v++)
                sum[r][v] += a[p * MR + r] * row[v];
    }
#pragma GCC unroll 16
    for (int r = 0; r < MR; r++)
#pragma GCC unroll 16
        for (int v = 0; v < NV; v++)
            ((vec *)(C + (ptrdiff_t)r * ldc))[v] += alpha * sum[r][v];
}

static void pack_a(int mc, int kc, const double *A, int lda, double *to)
{
    for (int i = 0; i < mc; i += MR)
        for (int p = 0; p < kc; p++)
            for (int r = 0; r < MR; r++)
                *to++ = A[(ptrdiff_t)(i + r) * lda + p];
}

static void pack_b(int kc, int nc, const double *B, int ldb, double *to)
{
    for (int j = 0; j < nc; j += NR)
        for (int p = 0; p < kc; p++, to += NR)
            memcpy(to, B + (ptrdiff_t)p * ldb + j, NR * sizeof *to);
}

static void pack_columns(int kc, int nc, const double *B, int ldb, double *to)
{
    for (int j = 0; j < nc; j += NR)
        for (int p = 0; p < kc; p++)
            for (int c = 0; c < NR; c += LANES, to += LANES)
                vst1q_f64(to, vld1q_f64(B + (ptrdiff_t)p * ldb + j + c));
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
#pragma omp parallel for collapse(2)
    for (int ic = 0; ic < m; ic += MC)
        for (int jc = 0; jc < n; jc += NC) {
            static _Thread_local double a[MC * KC], b[KC * NC];
            const int mc = min(MC, m - ic), nc = min(NC, n - jc);
            for (int pc = 0; pc < k; pc += KC) {
                const int kc = min(KC, k - pc);
                pack_columns(kc, nc, B + (ptrdiff_t)pc * ldb + jc, ldb, b);
                pack_a(mc, kc, A + (ptrdiff_t)ic * lda + pc, lda, a);
                for (int j = 0; j < nc; j += NR)
                    for (int i = 0; i < mc; i += MR)
                        tile(kc, alpha, a + i * kc, b + j * kc, C + (ptrdiff_t)(ic + i) * ldc + jc + j, ldc);
            }
        }
}
