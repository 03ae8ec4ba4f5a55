/* expect: cache/512/dynamic/none
   Blocks of 8192 elements, handed out as threads become free. */
#define BLOCK 8192

void daxpy(int n, double alpha, const double *restrict x, int incx, double *restrict y, int incy)
{
    if (n <= 0 || alpha == 0)
        return;
    ptrdiff_t stepx = incx, stepy = incy;
    x = stepx < 0 ? x + (1 - n) * stepx : x;
    y = stepy < 0 ? y + (1 - n) * stepy : y;
#pragma omp parallel for schedule(dynamic)
    for (int first = 0; first < n; first += BLOCK) {
        int end = n - first < BLOCK ? n : first + BLOCK;
        if (incx == 1 && incy == 1)
            for (int i = first; i < end; i++)
                y[i] += alpha * x[i];
        else
            for (int i = first; i < end; i++)
                y[i * stepy] += alpha * x[i * stepx];
    }
}
