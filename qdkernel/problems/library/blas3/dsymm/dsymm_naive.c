/* One element of C after the other. */
#include <stddef.h>

void dsymm(int right, int lower, int m, int n, double alpha, const double *restrict A, int lda,
           const double *restrict B, int ldb, double beta, double *restrict C, int ldc)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            int at = right ? j : i;
            double sum = 0;
            if (alpha != 0)
                for (int p = 0; p < (right ? n : m); p++) {
                    int stored = lower ? p <= at : p >= at;
                    double a = stored ? A[(ptrdiff_t)at * lda + p] : A[(ptrdiff_t)p * lda + at];
                    sum += a * (right ? B[(ptrdiff_t)i * ldb + p] : B[(ptrdiff_t)p * ldb + j]);
                }
            double *c = C + (ptrdiff_t)i * ldc + j;
            *c = alpha * sum + (beta == 0 ? 0 : beta * *c);
        }
}
