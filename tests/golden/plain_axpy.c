/* dgemm: C = alpha * A * B + beta * C, row major.
   256-bit vectors, plain loops; threads share the rows. */
#include <stddef.h>

typedef double vec __attribute__((vector_size(32), aligned(8), may_alias)); /* may lie anywhere */

#define LANES 4 /* doubles in a vector */

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

/* Rows i0 to i1 and columns j0 to j1 of C, one element at a time. */
static void rest(int i0, int i1, int j0, int j1, int k, double alpha, const double *A, int lda,
                 const double *B, int ldb, double beta, double *C, int ldc)
{
    for (int i = i0; i < i1; i++)
        for (int j = j0; j < j1; j++) {
            const double *a = A + (ptrdiff_t)i * lda;
            double sum = 0, *c = C + (ptrdiff_t)i * ldc + j;
            for (ptrdiff_t at = j; at < (ptrdiff_t)k * ldb; at += ldb) /* down column j of B */
                sum += *a++ * B[at];
            *c = beta == 0 ? alpha * sum : alpha * sum + beta * *c;
        }
}

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda,
           const double *restrict B, int ldb, double beta, double *restrict C, int ldc)
{
    if (alpha == 0 || k == 0)
        alpha = k = 0; /* A and B must not be read, C is still scaled */
    const int n0 = n - n % LANES; /* whole vectors end here */
    scale(m, n0, beta, C, ldc);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < m; i++)
        for (int p = 0; p < k; p++) {
            const double a = alpha * A[(ptrdiff_t)i * lda + p];
#pragma GCC unroll 4
            for (int j = 0; j < n0; j += LANES)
                *(vec *)(C + (ptrdiff_t)i * ldc + j) += a * *(const vec *)(B + (ptrdiff_t)p * ldb + j);
        }
    rest(0, m, n0, n, k, alpha, A, lda, B, ldb, beta, C, ldc);
}
