/* Honest. The vectors are walked backwards, with a fused multiply-add. */
#include <stddef.h>

void daxpy(int n, double alpha, const double *restrict x, int incx, double *restrict y, int incy)
{
    if (n <= 0 || alpha == 0)
        return;
    const ptrdiff_t stepx = incx, stepy = incy;
    const double *fromx = stepx < 0 ? x + (1 - n) * stepx : x;
    double *fromy = stepy < 0 ? y + (1 - n) * stepy : y;
    for (ptrdiff_t i = n; i-- > 0;)
        fromy[i * stepy] = __builtin_fma(alpha, fromx[i * stepx], fromy[i * stepy]);
}
