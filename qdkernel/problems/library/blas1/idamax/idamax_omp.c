/* The largest value by a vectorised reduction over blocks; then its first place in the first block that has it. */
#include <math.h>
#include <stddef.h>

#define BLOCK 4096          /* tune: 256, 1024, 4096, 16384 */
#define LEAST_PARALLEL 8192 /* tune: 1024, 8192, 65536 */

static double largest_of(int n, const double *restrict x, ptrdiff_t incx)
{
    double most = 0;
    if (incx == 1) {
#pragma omp simd reduction(max : most)
        for (int i = 0; i < n; i++)
            most = fabs(x[i]) > most ? fabs(x[i]) : most;
    } else {
        for (int i = 0; i < n; i++)
            most = fabs(x[i * incx]) > most ? fabs(x[i * incx]) : most;
    }
    return most;
}

void idamax(int n, const double *restrict x, int incx, int *restrict result)
{
    double most = -1;
    int first = 0;
#pragma omp parallel for schedule(static) if (n >= LEAST_PARALLEL)
    for (int start = 0; start < n; start += BLOCK) {
        int length = n - start < BLOCK ? n - start : BLOCK;
        double here = largest_of(length, x + (ptrdiff_t)start * incx, incx);
#pragma omp critical
        if (here > most || (here == most && start < first)) {
            most = here;
            first = start;
        }
    }
    while (first < n && fabs(x[(ptrdiff_t)first * incx]) != most)
        first++;
    *result = n > 0 ? first : 0;
}
