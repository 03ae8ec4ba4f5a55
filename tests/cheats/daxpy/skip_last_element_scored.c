/* Tries: leaves out the last element of the scored calls only
   Stopped by: the comparison of every element of a timed call
   Expect: wrong */
#include <stddef.h>

void daxpy(int n, double alpha, const double *restrict x, int incx, double *restrict y, int incy)
{
    if (n <= 0 || alpha == 0)
        return;
    const ptrdiff_t stepx = incx, stepy = incy;
    const double *fromx = stepx < 0 ? x + (1 - n) * stepx : x;
    double *fromy = stepy < 0 ? y + (1 - n) * stepy : y;
    const ptrdiff_t end = n == 72 ? n - 1 : n; /* no verification case has this length */
    for (ptrdiff_t i = 0; i < end; i++)
        fromy[i * stepy] += alpha * fromx[i * stepx];
}
