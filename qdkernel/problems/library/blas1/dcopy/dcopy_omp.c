/* Equal parts for the threads; contiguous vectors are copied in vectors. */
#include <stddef.h>

#define LEAST_PARALLEL 16384 /* tune: 1024, 4096, 16384, 65536 */

void dcopy(int n, const double *restrict x, int incx, double *restrict y, int incy)
{
    if (incx == 1 && incy == 1) {
#pragma omp parallel for simd schedule(static) if (n >= LEAST_PARALLEL)
        for (int i = 0; i < n; i++)
            y[i] = x[i];
        return;
    }
    ptrdiff_t ix = incx < 0 ? (ptrdiff_t)(1 - n) * incx : 0, iy = incy < 0 ? (ptrdiff_t)(1 - n) * incy : 0;
#pragma omp parallel for schedule(static) if (n >= LEAST_PARALLEL)
    for (int i = 0; i < n; i++)
        y[iy + (ptrdiff_t)i * incy] = x[ix + (ptrdiff_t)i * incx];
}
