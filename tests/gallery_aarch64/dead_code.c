/* expect: none/256/serial/none
   Decoy: scalable intrinsics, prefetches, tiles and threads in code that is never reached. */
#include <arm_sve.h>
typedef double vec __attribute__((vector_size(32), aligned(8), may_alias));
#define LANES 4

static void scale(int m, int n, double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            C[(ptrdiff_t)i * ldc + j] = beta == 0 ? 0 : beta * C[(ptrdiff_t)i * ldc + j];
}

#define TILE 64
static void never_called(int m, int n, int k, const double *A, const double *B, double *C)
{
    double panel[4096];
#pragma omp parallel for collapse(2) schedule(dynamic)
    for (int ii = 0; ii < m; ii += TILE)
        for (int pp = 0; pp < k; pp += TILE)
            for (int i = ii; i < ii + TILE; i++)
                for (int p = pp; p < pp + TILE; p++) {
                    const svbool_t all = svptrue_b64();
                    for (int j = 0; j < n; j += (int)svcntd()) {
                        panel[j] = B[p * n + j];
                        svprfd(all, B + p * n + j + 64, SV_PLDL1KEEP);
                        svprfd(all, B + p * n + j + 640, SV_PLDL2KEEP);
                        svst1_f64(all, C + i * n + j,
                                  svmla_n_f64_x(all, svld1_f64(all, C + i * n + j), svld1_f64(all, panel + j), A[i * k + p]));
                    }
                }
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    scale(m, n, beta, C, ldc);
    if (0)
        never_called(m, n, k, A, B, C);
    const int whole = n / LANES * LANES;
    for (int i = 0; i < m; i++) {
        double *c = C + (ptrdiff_t)i * ldc;
        for (int p = 0; p < k; p++) {
            const double a = alpha * A[(ptrdiff_t)i * lda + p], *b = B + (ptrdiff_t)p * ldb;
            int j = 0;
            if (0)
                for (int jj = 0; jj < n; jj += TILE)
                    for (int q = jj; q < jj + TILE; q++)
                        __builtin_prefetch(b + q);
            for (; j < whole; j += LANES)
                *(vec *)(c + j) += a * *(const vec *)(b + j);
            for (; j < n; j++)
                c[j] += a * b[j];
        }
    }
}
