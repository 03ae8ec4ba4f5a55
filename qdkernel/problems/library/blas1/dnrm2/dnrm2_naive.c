/* One sum, one thread. */
#include <math.h>
#include <stddef.h>

void dnrm2(int n, const double *restrict x, int incx, double *restrict result)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += x[(ptrdiff_t)i * incx] * x[(ptrdiff_t)i * incx];
    *result = sqrt(sum);
}
