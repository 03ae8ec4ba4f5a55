/* One sum, one thread. As in the BLAS, a vector with a negative increment is passed from its last element. */
#include <stddef.h>

void ddot(int n, const double *restrict x, int incx, const double *restrict y, int incy, double *restrict result)
{
    ptrdiff_t ix = incx < 0 ? (ptrdiff_t)(1 - n) * incx : 0, iy = incy < 0 ? (ptrdiff_t)(1 - n) * incy : 0;
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[ix + (ptrdiff_t)i * incx] * y[iy + (ptrdiff_t)i * incy];
    *result = sum;
}
