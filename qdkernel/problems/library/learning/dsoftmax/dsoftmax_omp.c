/* Rows for the threads; maximum and scaling in vectors. */
#include <math.h>
#include <stddef.h>

#define ROWS 8 /* tune: 1, 2, 4, 8, 16, 32 */

void dsoftmax(int rows, int n, const double *restrict x, int ldx, double *restrict y, int ldy)
{
#pragma omp parallel for schedule(static, ROWS)
    for (int r = 0; r < rows; r++) {
        const double *from = x + (ptrdiff_t)r * ldx;
        double *to = y + (ptrdiff_t)r * ldy;
        double largest = from[0], sum = 0;
#pragma omp simd reduction(max : largest)
        for (int i = 1; i < n; i++)
            largest = from[i] > largest ? from[i] : largest;
        for (int i = 0; i < n; i++)
            to[i] = exp(from[i] - largest);
#pragma omp simd reduction(+ : sum)
        for (int i = 0; i < n; i++)
            sum += to[i];
        double scale = 1 / sum;
#pragma omp simd
        for (int i = 0; i < n; i++)
            to[i] *= scale;
    }
}
