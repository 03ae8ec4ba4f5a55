/* dgemm: C = alpha * A * B + beta * C, row major.
   Scalar arithmetic, plain loops; one thread. */
#include <stddef.h>

#define AHEAD_B 8 /* tune: 2..64 step 2; steps by which B is fetched before its turn */

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda,
           const double *restrict B, int ldb, double beta, double *restrict C, int ldc)
{
    if (alpha == 0 || k == 0)
        alpha = k = 0; /* A and B must not be read, C is still scaled */
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            const double *a = A + (ptrdiff_t)i * lda;
            double sum = 0;
#pragma GCC unroll 2
            for (ptrdiff_t b = j; b < (ptrdiff_t)k * ldb; b += ldb, a++) {
                __builtin_prefetch(B + b + (ptrdiff_t)AHEAD_B * ldb, 0, 2);
                sum += *a * B[b];
            }
            double *c = C + (ptrdiff_t)i * ldc + j;
            *c = beta == 0 ? alpha * sum : alpha * sum + beta * *c;
        }
}
