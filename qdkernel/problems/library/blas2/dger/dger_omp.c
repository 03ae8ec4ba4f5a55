/* Rows for the threads; y is read in vectors where it is contiguous. */
#include <stddef.h>

#define ROWS 8 /* tune: 1, 2, 4, 8, 16, 32, 64 */

void dger(int m, int n, double alpha, const double *restrict x, int incx, const double *restrict y, int incy,
          double *restrict A, int lda)
{
    if (alpha == 0)
        return;
    ptrdiff_t ix = incx < 0 ? (ptrdiff_t)(1 - m) * incx : 0, iy = incy < 0 ? (ptrdiff_t)(1 - n) * incy : 0;
#pragma omp parallel for schedule(static, ROWS)
    for (int i = 0; i < m; i++) {
        double factor = alpha * x[ix + (ptrdiff_t)i * incx];
        double *row = A + (ptrdiff_t)i * lda;
        if (incy == 1) {
#pragma omp simd
            for (int j = 0; j < n; j++)
                row[j] += factor * y[j];
        } else {
            for (int j = 0; j < n; j++)
                row[j] += factor * y[iy + (ptrdiff_t)j * incy];
        }
    }
}
