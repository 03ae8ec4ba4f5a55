/* expect: none/256/serial/none
   Four vectors in flight: no register carries a sum, as no element is used twice, so this is no register tile. */
#define UNROLL 4

typedef double vector __attribute__((vector_size(32), aligned(8), may_alias));

void daxpy(int n, double alpha, const double *restrict x, int incx, double *restrict y, int incy)
{
    if (n <= 0 || alpha == 0)
        return;
    ptrdiff_t i = 0, stepx = incx, stepy = incy;
    if (incx == 1 && incy == 1)
        for (; i + 4 * UNROLL <= n; i += 4 * UNROLL)
#pragma GCC unroll 4
            for (int part = 0; part < UNROLL; part++)
                *(vector *)(y + i + 4 * part) += alpha * *(const vector *)(x + i + 4 * part);
    x = stepx < 0 ? x + (1 - n) * stepx : x;
    y = stepy < 0 ? y + (1 - n) * stepy : y;
    for (; i < n; i++)
        y[i * stepy] += alpha * x[i * stepx];
}
