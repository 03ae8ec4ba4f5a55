/* Honest. Strided vectors are gathered into a static buffer, computed there and scattered again. */
#include <stddef.h>

#define LENGTH 100
static double buffer[LENGTH];

void daxpy(int n, double alpha, const double *restrict x, int incx, double *restrict y, int incy)
{
    if (n <= 0 || alpha == 0)
        return;
    const ptrdiff_t stepx = incx, stepy = incy;
    const double *fromx = stepx < 0 ? x + (1 - n) * stepx : x;
    double *fromy = stepy < 0 ? y + (1 - n) * stepy : y;
    for (ptrdiff_t first = 0; first < n; first += LENGTH) {
        const ptrdiff_t count = n - first < LENGTH ? n - first : LENGTH;
        for (ptrdiff_t i = 0; i < count; i++)
            buffer[i] = fromx[(first + i) * stepx];
        for (ptrdiff_t i = 0; i < count; i++)
            fromy[(first + i) * stepy] += alpha * buffer[i];
    }
}
