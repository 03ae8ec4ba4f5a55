/* One element of y after the other. As in the BLAS, a vector with a negative increment is passed from its last element. */
#include <stddef.h>

void dgemv(int trans, int m, int n, double alpha, const double *restrict A, int lda, const double *restrict x, int incx,
           double beta, double *restrict y, int incy)
{
    int rows = trans ? n : m, terms = trans ? m : n;
    ptrdiff_t down = trans ? 1 : lda, along = trans ? lda : 1;
    ptrdiff_t ix = incx < 0 ? (ptrdiff_t)(1 - terms) * incx : 0, iy = incy < 0 ? (ptrdiff_t)(1 - rows) * incy : 0;
    for (int i = 0; i < rows; i++) {
        double sum = 0;
        if (alpha != 0)
            for (int j = 0; j < terms; j++)
                sum += A[i * down + j * along] * x[ix + (ptrdiff_t)j * incx];
        y[iy] = alpha * sum + (beta == 0 ? 0 : beta * y[iy]);
        iy += incy;
    }
}
