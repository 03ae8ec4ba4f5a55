/* Rows for the threads: what is stored of a row as a dot product, the rest down its column. */
#include <stddef.h>

#define ROWS 16 /* tune: 4, 8, 16, 32, 64 */

void dsymv(int lower, int n, double alpha, const double *restrict A, int lda, const double *restrict x, int incx,
           double beta, double *restrict y, int incy)
{
    const ptrdiff_t ix = incx < 0 ? (ptrdiff_t)(1 - n) * incx : 0, iy = incy < 0 ? (ptrdiff_t)(1 - n) * incy : 0;
    const double *from = x + ix;
#pragma omp parallel for schedule(static, ROWS)
    for (int i = 0; i < n; i++) {
        const double *row = A + (ptrdiff_t)i * lda;
        const int first = lower ? 0 : i, last = lower ? i + 1 : n;
        double *at = y + iy + (ptrdiff_t)i * incy, sum = 0;
        if (alpha != 0) {
#pragma omp simd reduction(+ : sum)
            for (int j = first; j < last; j++)
                sum += row[j] * from[(ptrdiff_t)j * incx];
            for (int j = lower ? i + 1 : 0; j < (lower ? n : i); j++)
                sum += A[(ptrdiff_t)j * lda + i] * from[(ptrdiff_t)j * incx];
        }
        *at = alpha * sum + (beta == 0 ? 0 : beta * *at);
    }
}
