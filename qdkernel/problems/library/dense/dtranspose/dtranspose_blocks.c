/* Blocks that fit into the first-level cache, for the threads. */
#include <stddef.h>

#define BLOCK 32 /* tune: 8, 16, 32, 64, 128 */

void dtranspose(int m, int n, const double *restrict A, int lda, double *restrict B, int ldb)
{
#pragma omp parallel for collapse(2) schedule(static)
    for (int top = 0; top < n; top += BLOCK)
        for (int left = 0; left < m; left += BLOCK) {
            int rows = n - top < BLOCK ? n - top : BLOCK, columns = m - left < BLOCK ? m - left : BLOCK;
            for (int j = 0; j < rows; j++)
                for (int i = 0; i < columns; i++)
                    B[(ptrdiff_t)(top + j) * ldb + left + i] = A[(ptrdiff_t)(left + i) * lda + top + j];
        }
}
