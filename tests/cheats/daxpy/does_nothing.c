/* Tries: returns at once
   Stopped by: elements that still hold what they held before
   Expect: wrong */
#include <stddef.h>

void daxpy(int n, double alpha, const double *restrict x, int incx, double *restrict y, int incy)
{
}
