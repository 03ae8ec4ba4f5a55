/* Row by row. */
#include <stddef.h>

void dtranspose(int m, int n, const double *restrict A, int lda, double *restrict B, int ldb)
{
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            B[(ptrdiff_t)j * ldb + i] = A[(ptrdiff_t)i * lda + j];
}
