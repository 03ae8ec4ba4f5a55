/* Element by element, one thread. As in the BLAS, a vector with a negative increment is passed from its last element. */
#include <stddef.h>

void dswap(int n, double *restrict x, int incx, double *restrict y, int incy)
{
    ptrdiff_t ix = incx < 0 ? (ptrdiff_t)(1 - n) * incx : 0, iy = incy < 0 ? (ptrdiff_t)(1 - n) * incy : 0;
    for (int i = 0; i < n; i++) {
        double kept = x[ix];
        x[ix] = y[iy];
        y[iy] = kept;
        ix += incx;
        iy += incy;
    }
}
