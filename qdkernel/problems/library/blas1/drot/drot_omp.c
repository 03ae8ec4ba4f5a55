/* Equal parts for the threads, with a loop of its own for contiguous vectors, which the compiler vectorises. */
#include <stddef.h>

#define LEAST_PARALLEL 16384 /* tune: 1024, 4096, 16384, 65536 */

void drot(int n, double *restrict x, int incx, double *restrict y, int incy, double c, double s)
{
    if (incx == 1 && incy == 1) {
#pragma omp parallel for simd schedule(static) if (n >= LEAST_PARALLEL)
        for (int i = 0; i < n; i++) {
            double turned = c * x[i] + s * y[i];
            y[i] = c * y[i] - s * x[i];
            x[i] = turned;
        }
        return;
    }
    ptrdiff_t ix = incx < 0 ? (ptrdiff_t)(1 - n) * incx : 0, iy = incy < 0 ? (ptrdiff_t)(1 - n) * incy : 0;
#pragma omp parallel for schedule(static) if (n >= LEAST_PARALLEL)
    for (int i = 0; i < n; i++) {
        double *p = x + ix + (ptrdiff_t)i * incx, *q = y + iy + (ptrdiff_t)i * incy;
        double turned = c * *p + s * *q;
        *q = c * *q - s * *p;
        *p = turned;
    }
}
