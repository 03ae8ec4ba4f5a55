/* One element of y after the other. As in the BLAS, a vector with a negative increment is passed from its last element. */
#include <stddef.h>

void dsymv(int lower, int n, double alpha, const double *restrict A, int lda, const double *restrict x, int incx,
           double beta, double *restrict y, int incy)
{
    ptrdiff_t ix = incx < 0 ? (ptrdiff_t)(1 - n) * incx : 0, iy = incy < 0 ? (ptrdiff_t)(1 - n) * incy : 0;
    for (int i = 0; i < n; i++) {
        double sum = 0;
        if (alpha != 0)
            for (int j = 0; j < n; j++) {
                int stored = lower ? j <= i : j >= i;
                double a = stored ? A[(ptrdiff_t)i * lda + j] : A[(ptrdiff_t)j * lda + i];
                sum += a * x[ix + (ptrdiff_t)j * incx];
            }
        y[iy] = alpha * sum + (beta == 0 ? 0 : beta * y[iy]);
        iy += incy;
    }
}
