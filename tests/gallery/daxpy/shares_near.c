/* expect: none/512/static/near
   Equal parts for the threads, with a prefetch of both vectors once per cache line. */
typedef double vector __attribute__((vector_size(64), aligned(8), may_alias));

void daxpy(int n, double alpha, const double *restrict x, int incx, double *restrict y, int incy)
{
    if (n <= 0 || alpha == 0)
        return;
    const int lines = incx == 1 && incy == 1 ? n / 8 : 0;
#pragma omp parallel for schedule(static)
    for (int line = 0; line < lines; line++) {
        const double *from = x + (ptrdiff_t)8 * line;
        double *to = y + (ptrdiff_t)8 * line;
        __builtin_prefetch(from + 256);
        __builtin_prefetch(to + 256, 1);
        *(vector *)to += alpha * *(const vector *)from;
    }
    ptrdiff_t stepx = incx, stepy = incy;
    x = stepx < 0 ? x + (1 - n) * stepx : x;
    y = stepy < 0 ? y + (1 - n) * stepy : y;
    for (int i = 8 * lines; i < n; i++)
        y[i * stepy] += alpha * x[i * stepx];
}
