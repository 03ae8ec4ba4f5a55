/* dgemm: C = alpha * A * B + beta * C, row major.
   256-bit vectors, cache tiles; one thread. */
#include <stddef.h>
#include <string.h>

typedef double vec __attribute__((vector_size(32), aligned(8), may_alias)); /* may lie anywhere */

#define LANES 4 /* doubles in a vector */
#define MC 48 /* tune: 8..2048 step 8; rows of a cache tile */
#define NC 48 /* tune: 8..2048 step 8; columns of a cache tile */
#define KC 32 /* tune: 8..2048 step 8; depth of a cache tile */
#define AHEAD_B 8 /* tune: 2..64 step 2; steps by which B is fetched before its turn */

static inline int min(int a, int b)
{
    return a < b ? a : b;
}

/* C *= beta, so that the nest only adds; n is a multiple of LANES. With beta = 0 old NaNs must vanish. */
static void scale(int m, int n, double beta, double *C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j += LANES) {
            vec *c = (vec *)(C + (ptrdiff_t)i * ldc + j);
            if (beta == 0)
                *c = (vec){0};
            else
                *c *= beta;
        }
}

/* The first `lanes` elements at p, zeros after them; memory past them is not touched. */
static inline void load(vec *to, const double *p, int lanes)
{
    *to = (vec){0};
    if (lanes >= LANES)
        *to = *(const vec *)p;
    else
        memcpy(to, p, lanes * sizeof *p);
}

/* Rows i0 to i1 and columns j0 to j1 of C, a vector at a time; the last one is padded with zeros. */
static void rest(int i0, int i1, int j0, int j1, int k, double alpha, const double *A, int lda,
                 const double *B, int ldb, double beta, double *C, int ldc)
{
    for (int i = i0; i < i1; i++)
        for (int j = j0; j < j1; j += LANES) {
            const int lanes = min(LANES, j1 - j);
            double *c = C + (ptrdiff_t)i * ldc + j;
            vec sum = {0}, other;
            for (int p = 0; p < k; p++) {
                load(&other, B + (ptrdiff_t)p * ldb + j, lanes);
                sum += A[(ptrdiff_t)i * lda + p] * other;
            }
            load(&other, c, lanes);
            sum = beta == 0 ? alpha * sum : alpha * sum + beta * other;
            memcpy(c, &sum, lanes * sizeof *c);
        }
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda,
           const double *restrict B, int ldb, double beta, double *restrict C, int ldc)
{
    if (alpha == 0 || k == 0)
        alpha = k = 0; /* A and B must not be read, C is still scaled */
    const int n0 = n - n % LANES; /* whole vectors end here */
    scale(m, n0, beta, C, ldc);
    for (int pc = 0; pc < k; pc += KC) {
        const int p1 = min(pc + KC, k);
        for (int ic = 0; ic < m; ic += MC) {
            const int i1 = min(ic + MC, m);
            for (int jc = 0; jc < n0; jc += NC) {
                const int j1 = min(jc + NC, n0);
                for (int p = pc; p < p1; p++)
                    for (int i = ic; i < i1; i++) {
                        const double a = alpha * A[(ptrdiff_t)i * lda + p];
#pragma GCC unroll 2
                        for (int j = jc; j < j1; j += LANES) {
                            __builtin_prefetch(B + (ptrdiff_t)p * ldb + j + AHEAD_B * LANES, 0, 3);
                            *(vec *)(C + (ptrdiff_t)i * ldc + j) += a * *(const vec *)(B + (ptrdiff_t)p * ldb + j);
                        }
                    }
            }
        }
    }
    rest(0, m, n0, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
