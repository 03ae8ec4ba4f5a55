/* Row by row. As in the BLAS, a vector with a negative increment is passed from its last element. */
#include <stddef.h>

void dger(int m, int n, double alpha, const double *restrict x, int incx, const double *restrict y, int incy,
          double *restrict A, int lda)
{
    if (alpha == 0)
        return;
    ptrdiff_t ix = incx < 0 ? (ptrdiff_t)(1 - m) * incx : 0, iy = incy < 0 ? (ptrdiff_t)(1 - n) * incy : 0;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++)
            A[(ptrdiff_t)i * lda + j] += alpha * x[ix + (ptrdiff_t)i * incx] * y[iy + (ptrdiff_t)j * incy];
}
