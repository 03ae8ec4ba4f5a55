/* Blocks of x: the product with the elements known before, its rows for the threads, then the block's own triangle. */
#include <stddef.h>

#define BLOCK 64 /* tune: 16, 32, 64, 128, 256 */

void dtrsv(int lower, int trans, int unit, int n, const double *restrict A, int lda, double *restrict x, int incx)
{
    const ptrdiff_t down = trans ? 1 : lda, along = trans ? lda : 1;
    const int upper = trans ? lower : !lower;
    double *at = x + (incx < 0 ? (ptrdiff_t)(1 - n) * incx : 0);
    for (int done = 0; done < n; done += BLOCK) {
        const int rows = n - done < BLOCK ? n - done : BLOCK, top = upper ? n - done - rows : done;
        const int first = upper ? top + rows : 0, last = first + done;
#pragma omp parallel for schedule(static)
        for (int r = 0; r < rows; r++) {
            const double *row = A + (top + r) * down;
            double sum = 0;
            if (!trans && incx == 1) {
#pragma omp simd reduction(+ : sum)
                for (int j = first; j < last; j++)
                    sum += row[j] * at[j];
            } else {
                for (int j = first; j < last; j++)
                    sum += row[j * along] * at[(ptrdiff_t)j * incx];
            }
            at[(ptrdiff_t)(top + r) * incx] -= sum;
        }
        for (int step = 0; step < rows; step++) {
            const int i = upper ? top + rows - 1 - step : top + step;
            double rest = at[(ptrdiff_t)i * incx];
            for (int j = upper ? i + 1 : top; j < (upper ? top + rows : i); j++)
                rest -= A[i * down + j * along] * at[(ptrdiff_t)j * incx];
            at[(ptrdiff_t)i * incx] = unit ? rest : rest / A[i * down + i * along];
        }
    }
}
