/* One thread. Blocks have sums of their own: one sum of millions of magnitudes would round most of each off. */
#include <math.h>
#include <stddef.h>

void dasum(int n, const double *restrict x, int incx, double *restrict result)
{
    double sum = 0;
    for (ptrdiff_t first = 0; first < n; first += 4096) {
        const ptrdiff_t end = first + 4096 < n ? first + 4096 : n;
        double block = 0;
        for (ptrdiff_t i = first; i < end; i++)
            block += fabs(x[i * incx]);
        sum += block;
    }
    *result = sum;
}
