/* Element by element, one thread. */
#include <stddef.h>

void dscal(int n, double alpha, double *restrict x, int incx)
{
    for (int i = 0; i < n; i++)
        x[(ptrdiff_t)i * incx] *= alpha;
}
