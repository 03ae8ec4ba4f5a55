/* Equal parts for the threads, with a loop of its own for contiguous vectors, which the compiler vectorises. */
#include <stddef.h>

#define LEAST_PARALLEL 16384 /* tune: 1024, 4096, 16384, 65536 */

void dscal(int n, double alpha, double *restrict x, int incx)
{
    if (incx == 1) {
#pragma omp parallel for simd schedule(static) if (n >= LEAST_PARALLEL)
        for (int i = 0; i < n; i++)
            x[i] *= alpha;
        return;
    }
#pragma omp parallel for schedule(static) if (n >= LEAST_PARALLEL)
    for (int i = 0; i < n; i++)
        x[(ptrdiff_t)i * incx] *= alpha;
}
