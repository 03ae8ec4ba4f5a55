/* One element of C after the other. */
#include <stddef.h>

void dsyr2k(int lower, int trans, int n, int k, double alpha, const double *restrict A, int lda,
            const double *restrict B, int ldb, double beta, double *restrict C, int ldc)
{
    ptrdiff_t downa = trans ? 1 : lda, alonga = trans ? lda : 1, downb = trans ? 1 : ldb, alongb = trans ? ldb : 1;
    for (int i = 0; i < n; i++)
        for (int j = lower ? 0 : i; j < (lower ? i + 1 : n); j++) {
            double sum = 0;
            if (alpha != 0)
                for (int p = 0; p < k; p++)
                    sum += A[i * downa + p * alonga] * B[j * downb + p * alongb] +
                           B[i * downb + p * alongb] * A[j * downa + p * alonga];
            double *c = C + (ptrdiff_t)i * ldc + j;
            *c = alpha * sum + (beta == 0 ? 0 : beta * *c);
        }
}
