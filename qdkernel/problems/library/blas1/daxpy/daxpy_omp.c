/* Equal parts for the threads, with a loop of its own for contiguous vectors, which the compiler vectorises. */
#include <stddef.h>

#define LEAST_PARALLEL 16384 /* tune: 1024, 4096, 16384, 65536 */

void daxpy(int n, double alpha, const double *restrict x, int incx, double *restrict y, int incy)
{
    if (n <= 0 || alpha == 0)
        return;
    if (incx == 1 && incy == 1) {
#pragma omp parallel for simd schedule(static) if (n >= LEAST_PARALLEL)
        for (int i = 0; i < n; i++)
            y[i] += alpha * x[i];
        return;
    }
    ptrdiff_t stepx = incx, stepy = incy;
    const double *fromx = stepx < 0 ? x + (1 - n) * stepx : x;
    double *fromy = stepy < 0 ? y + (1 - n) * stepy : y;
#pragma omp parallel for schedule(static) if (n >= LEAST_PARALLEL)
    for (int i = 0; i < n; i++)
        fromy[i * stepy] += alpha * fromx[i * stepx];
}
