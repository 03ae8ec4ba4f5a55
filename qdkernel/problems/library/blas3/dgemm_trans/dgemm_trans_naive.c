/* One element of C after the other. */
#include <stddef.h>

void dgemm_trans(int transa, int transb, int m, int n, int k, double alpha, const double *restrict A, int lda,
                 const double *restrict B, int ldb, double beta, double *restrict C, int ldc)
{
    ptrdiff_t downa = transa ? 1 : lda, alonga = transa ? lda : 1, downb = transb ? 1 : ldb, alongb = transb ? ldb : 1;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            if (alpha != 0)
                for (int p = 0; p < k; p++)
                    sum += A[i * downa + p * alonga] * B[p * downb + j * alongb];
            double *c = C + (ptrdiff_t)i * ldc + j;
            *c = alpha * sum + (beta == 0 ? 0 : beta * *c);
        }
}
