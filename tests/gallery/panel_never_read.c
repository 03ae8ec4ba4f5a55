/* expect: cache+register/512/serial/near
   Decoy: B is copied into a panel that no arithmetic reads. */
#include <stdlib.h>
#include <string.h>
typedef double vec __attribute__((vector_size(64), aligned(8), may_alias));
#define LANES 8
#define MR 6
#define NV 2
#define NR (NV * LANES)
#define MC 96
#define KC 192

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

/* MR x NV vectors of C over the whole of k. */
static inline void tile(int k, double alpha, const double *A, int lda, const double *B, int ldb, double *C, int ldc)
{
    vec sum[MR][NV] = {0};
    for (int p = 0; p < k; p++) {
        __builtin_prefetch(B + (ptrdiff_t)(p + 4) * ldb, 0, 3);
#pragma GCC unroll 16
        for (int r = 0; r < MR; r++)
#pragma GCC unroll 16
            for (int v = 0; v < NV; v++)
                sum[r][v] += A[(ptrdiff_t)r * lda + p] * ((const vec *)(B + (ptrdiff_t)p * ldb))[v];
    }
#pragma GCC unroll 16
    for (int r = 0; r < MR; r++)
#pragma GCC unroll 16
        for (int v = 0; v < NV; v++)
            ((vec *)(C + (ptrdiff_t)r * ldc))[v] += alpha * sum[r][v];
}

static double panel[KC * 1024];
double *volatile kept; /* the compiler must believe that somebody reads the panel */

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
    kept = panel;
    for (int pc = 0; pc < k; pc += KC) {
        const int kc = min(KC, k - pc);
        for (int p = 0; p < kc; p++)
            for (int j = 0; j < min(n, 1024); j++)
                panel[p * 1024 + j] = B[(ptrdiff_t)(pc + p) * ldb + j];
        for (int ic = 0; ic < m; ic += MC)
            for (int i = ic; i < min(ic + MC, m); i += MR)
                for (int j = 0; j < n; j += NR)
                    tile(kc, alpha, A + (ptrdiff_t)i * lda + pc, lda, B + (ptrdiff_t)pc * ldb + j, ldb,
                         C + (ptrdiff_t)i * ldc + j, ldc);
    }
}
