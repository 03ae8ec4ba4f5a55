/* Rows of A for the threads, or with trans blocks of its columns, each row of which is added to a part of y. */
#include <stddef.h>

#define COLUMNS 512 /* tune: 64, 128, 256, 512, 1024, 2048 */

void dgemv(int trans, int m, int n, double alpha, const double *restrict A, int lda, const double *restrict x, int incx,
           double beta, double *restrict y, int incy)
{
    int rows = trans ? n : m, terms = trans ? m : n;
    ptrdiff_t ix = incx < 0 ? (ptrdiff_t)(1 - terms) * incx : 0, iy = incy < 0 ? (ptrdiff_t)(1 - rows) * incy : 0;
    const double *from = x + ix;
    double *to = y + iy;
    if (!trans || alpha == 0) {
#pragma omp parallel for schedule(static)
        for (int i = 0; i < rows; i++) {
            const double *row = A + (ptrdiff_t)i * lda;
            double sum = 0;
            if (alpha != 0 && incx == 1) {
#pragma omp simd reduction(+ : sum)
                for (int j = 0; j < terms; j++)
                    sum += row[j] * from[j];
            } else if (alpha != 0) {
                for (int j = 0; j < terms; j++)
                    sum += row[j] * from[(ptrdiff_t)j * incx];
            }
            to[(ptrdiff_t)i * incy] = alpha * sum + (beta == 0 ? 0 : beta * to[(ptrdiff_t)i * incy]);
        }
        return;
    }
#pragma omp parallel for schedule(static)
    for (int first = 0; first < n; first += COLUMNS) {
        int width = n - first < COLUMNS ? n - first : COLUMNS;
        double sums[COLUMNS] = {0};
        for (int i = 0; i < m; i++) {
            double factor = from[(ptrdiff_t)i * incx];
            const double *row = A + (ptrdiff_t)i * lda + first;
#pragma omp simd
            for (int j = 0; j < width; j++)
                sums[j] += factor * row[j];
        }
        for (int j = 0; j < width; j++) {
            double *at = to + (ptrdiff_t)(first + j) * incy;
            *at = alpha * sums[j] + (beta == 0 ? 0 : beta * *at);
        }
    }
}
