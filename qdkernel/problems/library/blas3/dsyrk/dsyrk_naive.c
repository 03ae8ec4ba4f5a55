/* One element of C after the other. */
#include <stddef.h>

void dsyrk(int lower, int trans, int n, int k, double alpha, const double *restrict A, int lda, double beta,
           double *restrict C, int ldc)
{
    ptrdiff_t down = trans ? 1 : lda, along = trans ? lda : 1;
    for (int i = 0; i < n; i++)
        for (int j = lower ? 0 : i; j < (lower ? i + 1 : n); j++) {
            double sum = 0;
            if (alpha != 0)
                for (int p = 0; p < k; p++)
                    sum += A[i * down + p * along] * A[j * down + p * along];
            double *c = C + (ptrdiff_t)i * ldc + j;
            *c = alpha * sum + (beta == 0 ? 0 : beta * *c);
        }
}
