/* Several sums side by side in each thread, added at the end. */
#include <stddef.h>

#define SUMS 16             /* tune: 4, 8, 16, 32, 64 */
#define LEAST_PARALLEL 8192 /* tune: 1024, 8192, 65536 */

void ddot(int n, const double *restrict x, int incx, const double *restrict y, int incy, double *restrict result)
{
    ptrdiff_t ix = incx < 0 ? (ptrdiff_t)(1 - n) * incx : 0, iy = incy < 0 ? (ptrdiff_t)(1 - n) * incy : 0;
    double total = 0;
    int blocks = incx == 1 && incy == 1 ? n / SUMS : 0;
#pragma omp parallel if (n >= LEAST_PARALLEL) reduction(+ : total)
    {
        double sums[SUMS] = {0};
#pragma omp for schedule(static)
        for (int block = 0; block < blocks; block++)
            for (int lane = 0; lane < SUMS; lane++)
                sums[lane] += x[block * SUMS + lane] * y[block * SUMS + lane];
        for (int lane = 0; lane < SUMS; lane++)
            total += sums[lane];
    }
    for (int i = blocks * SUMS; i < n; i++)
        total += x[ix + (ptrdiff_t)i * incx] * y[iy + (ptrdiff_t)i * incy];
    *result = total;
}
