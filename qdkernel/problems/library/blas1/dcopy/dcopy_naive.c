/* Element by element, one thread. As in the BLAS, a vector with a negative increment is passed from its last element. */
#include <stddef.h>

void dcopy(int n, const double *restrict x, int incx, double *restrict y, int incy)
{
    ptrdiff_t ix = incx < 0 ? (ptrdiff_t)(1 - n) * incx : 0, iy = incy < 0 ? (ptrdiff_t)(1 - n) * incy : 0;
    for (int i = 0; i < n; i++)
        y[iy + (ptrdiff_t)i * incy] = x[ix + (ptrdiff_t)i * incx];
}
