/* Tries: walks vectors with a negative increment from their first element
   Stopped by: cases with one negative increment
   Expect: wrong */
#include <stddef.h>

void daxpy(int n, double alpha, const double *restrict x, int incx, double *restrict y, int incy)
{
    if (alpha == 0)
        return;
    const ptrdiff_t stepx = incx < 0 ? -(ptrdiff_t)incx : incx, stepy = incy < 0 ? -(ptrdiff_t)incy : incy;
    for (ptrdiff_t i = 0; i < n; i++)
        y[i * stepy] += alpha * x[i * stepx];
}
