/* Rows for the threads, each of the three passes in vectors. */
#include <math.h>
#include <stddef.h>

#define ROWS 8 /* tune: 1, 2, 4, 8, 16, 32 */

void dlayernorm(int rows, int n, double epsilon, const double *restrict x, int ldx, const double *restrict gain,
                const double *restrict bias, double *restrict y, int ldy)
{
#pragma omp parallel for schedule(static, ROWS)
    for (int r = 0; r < rows; r++) {
        const double *from = x + (ptrdiff_t)r * ldx;
        double *to = y + (ptrdiff_t)r * ldy;
        double mean = 0, variance = 0;
#pragma omp simd reduction(+ : mean)
        for (int i = 0; i < n; i++)
            mean += from[i];
        mean /= n;
#pragma omp simd reduction(+ : variance)
        for (int i = 0; i < n; i++)
            variance += (from[i] - mean) * (from[i] - mean);
        double scale = 1 / sqrt(variance / n + epsilon);
#pragma omp simd
        for (int i = 0; i < n; i++)
            to[i] = gain[i] * (from[i] - mean) * scale + bias[i];
    }
}
