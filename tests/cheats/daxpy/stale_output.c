/* Tries: computes the first call of each length, and copies its result to later ones
   Stopped by: fresh inputs for every call
   Expect: wrong */
#include <stddef.h>

#define LONGEST 128
static double kept[LONGEST];
static int kept_for = -1;

void daxpy(int n, double alpha, const double *restrict x, int incx, double *restrict y, int incy)
{
    if (n <= 0 || alpha == 0)
        return;
    const ptrdiff_t stepx = incx, stepy = incy;
    const double *fromx = stepx < 0 ? x + (1 - n) * stepx : x;
    double *fromy = stepy < 0 ? y + (1 - n) * stepy : y;
    if (n == kept_for && incx == 1 && incy == 1) {
        for (ptrdiff_t i = 0; i < n; i++)
            y[i] = kept[i];
        return;
    }
    for (ptrdiff_t i = 0; i < n; i++)
        fromy[i * stepy] += alpha * fromx[i * stepx];
    if (n <= LONGEST && incx == 1 && incy == 1) {
        for (ptrdiff_t i = 0; i < n; i++)
            kept[i] = y[i];
        kept_for = n;
    }
}
