/* expect: cache/256/static/far
   Tiles of k and rows; the first touch of C goes past the caches (streaming stores). */
#include <arm_sve.h>
#include <stdint.h>
typedef double vec __attribute__((vector_size(32), aligned(8), may_alias));
#define LANES 4

enum { DEPTH = 128, ROWS = DEPTH / 2 };

static inline int min(int a, int b)
{
    return a < b ? a : b;
}

/* C = beta C; n is a multiple of LANES and rows begin on a vector. */
static void scale(int m, int n, double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j += LANES) {
            double *c = C + (ptrdiff_t)i * ldc + j;
            const svbool_t all = svptrue_b64();
            svstnt1_f64(all, c, svmul_n_f64_x(all, svld1_f64(all, c), beta));
        }
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    const int whole = n / LANES * LANES;
    scale(m, whole, beta, C, ldc);
#pragma omp parallel for schedule(static)
    for (int ii = 0; ii < m; ii += ROWS)
        for (int pp = 0; pp < k; pp += DEPTH) {
            const int i1 = min(ii + ROWS, m), p1 = min(pp + DEPTH, k);
            for (int i = ii; i < i1; i++) {
                double *c = C + (ptrdiff_t)i * ldc;
                for (int p = pp; p < p1; p++) {
                    const double a = alpha * A[(ptrdiff_t)i * lda + p], *b = B + (ptrdiff_t)p * ldb;
                    for (int j = 0; j < whole; j += LANES)
                        *(vec *)(c + j) += a * *(const vec *)(b + j);
                }
            }
        }
}
