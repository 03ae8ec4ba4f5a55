/* Tries: computes in single precision
   Stopped by: the error bound
   Expect: wrong */
#include <stddef.h>

void daxpy(int n, double alpha, const double *restrict x, int incx, double *restrict y, int incy)
{
    if (n <= 0 || alpha == 0)
        return;
    const ptrdiff_t stepx = incx, stepy = incy;
    const double *fromx = stepx < 0 ? x + (1 - n) * stepx : x;
    double *fromy = stepy < 0 ? y + (1 - n) * stepy : y;
    for (ptrdiff_t i = 0; i < n; i++)
        fromy[i * stepy] += (float)alpha * (float)fromx[i * stepx];
}
