/* Blocks of x in an order in which no element is overwritten before its last use; their rows for the threads. */
#include <stddef.h>

#define BLOCK 256 /* tune: 32, 64, 128, 256, 512 */

void dtrmv(int lower, int trans, int unit, int n, const double *restrict A, int lda, double *restrict x, int incx)
{
    const ptrdiff_t down = trans ? 1 : lda, along = trans ? lda : 1;
    const int upper = trans ? lower : !lower;
    double *at = x + (incx < 0 ? (ptrdiff_t)(1 - n) * incx : 0), sums[BLOCK];
    for (int done = 0; done < n; done += BLOCK) {
        const int rows = n - done < BLOCK ? n - done : BLOCK, top = upper ? done : n - done - rows;
#pragma omp parallel for schedule(static)
        for (int r = 0; r < rows; r++) {
            const int i = top + r, first = upper ? i + 1 : 0, last = upper ? n : i;
            const double *row = A + i * down;
            double sum = unit ? at[(ptrdiff_t)i * incx] : row[i * along] * at[(ptrdiff_t)i * incx];
            if (!trans && incx == 1) {
#pragma omp simd reduction(+ : sum)
                for (int j = first; j < last; j++)
                    sum += row[j] * at[j];
            } else {
                for (int j = first; j < last; j++)
                    sum += row[j * along] * at[(ptrdiff_t)j * incx];
            }
            sums[r] = sum;
        }
        for (int r = 0; r < rows; r++)
            at[(ptrdiff_t)(top + r) * incx] = sums[r];
    }
}
