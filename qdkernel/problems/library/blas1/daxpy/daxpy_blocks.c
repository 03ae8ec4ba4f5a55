/* Blocks handed out as threads become free, so that a thread that is interrupted holds up nobody. */
#include <stddef.h>

#define BLOCK 16384 /* tune: 2048, 4096, 8192, 16384, 32768, 65536 */

void daxpy(int n, double alpha, const double *restrict x, int incx, double *restrict y, int incy)
{
    if (n <= 0 || alpha == 0)
        return;
    ptrdiff_t stepx = incx, stepy = incy;
    const double *fromx = stepx < 0 ? x + (1 - n) * stepx : x;
    double *fromy = stepy < 0 ? y + (1 - n) * stepy : y;
#pragma omp parallel for schedule(dynamic)
    for (int first = 0; first < n; first += BLOCK) {
        int end = n - first < BLOCK ? n : first + BLOCK;
        if (stepx == 1 && stepy == 1) {
#pragma omp simd
            for (int i = first; i < end; i++)
                y[i] += alpha * x[i];
        } else {
            for (int i = first; i < end; i++)
                fromy[i * stepy] += alpha * fromx[i * stepx];
        }
    }
}
