/* Element by element, one thread. As in the BLAS, a vector with a negative increment is passed from its last element. */
#include <stddef.h>

void drot(int n, double *restrict x, int incx, double *restrict y, int incy, double c, double s)
{
    ptrdiff_t ix = incx < 0 ? (ptrdiff_t)(1 - n) * incx : 0, iy = incy < 0 ? (ptrdiff_t)(1 - n) * incy : 0;
    for (int i = 0; i < n; i++) {
        double turned = c * x[ix] + s * y[iy];
        y[iy] = c * y[iy] - s * x[ix];
        x[ix] = turned;
        ix += incx;
        iy += incy;
    }
}
