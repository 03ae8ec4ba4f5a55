/* Tries: takes both vectors to be contiguous
   Stopped by: cases with increments, whose gaps hold canaries
   Expect: wrong */
#include <stddef.h>

void daxpy(int n, double alpha, const double *restrict x, int incx, double *restrict y, int incy)
{
    if (alpha == 0)
        return;
    for (int i = 0; i < n; i++)
        y[i] += alpha * x[i];
}
