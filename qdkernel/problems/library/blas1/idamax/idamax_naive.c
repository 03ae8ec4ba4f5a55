/* One comparison after the other, one thread. */
#include <math.h>
#include <stddef.h>

void idamax(int n, const double *restrict x, int incx, int *restrict result)
{
    int largest = 0;
    for (int i = 1; i < n; i++)
        if (fabs(x[(ptrdiff_t)i * incx]) > fabs(x[(ptrdiff_t)largest * incx]))
            largest = i;
    *result = largest;
}
