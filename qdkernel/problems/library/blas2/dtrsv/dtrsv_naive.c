/* Substitution, one element of x after the other. */
#include <stddef.h>

void dtrsv(int lower, int trans, int unit, int n, const double *restrict A, int lda, double *restrict x, int incx)
{
    ptrdiff_t down = trans ? 1 : lda, along = trans ? lda : 1;
    ptrdiff_t ix = incx < 0 ? (ptrdiff_t)(1 - n) * incx : 0;
    int upper = trans ? lower : !lower;
    for (int step = 0; step < n; step++) {
        int i = upper ? n - 1 - step : step;
        double rest = x[ix + (ptrdiff_t)i * incx];
        for (int j = upper ? i + 1 : 0; j < (upper ? n : i); j++)
            rest -= A[i * down + j * along] * x[ix + (ptrdiff_t)j * incx];
        x[ix + (ptrdiff_t)i * incx] = unit ? rest : rest / A[i * down + i * along];
    }
}
