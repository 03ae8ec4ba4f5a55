/* The mean first, then the variance, then the row. */
#include <math.h>
#include <stddef.h>

void dlayernorm(int rows, int n, double epsilon, const double *restrict x, int ldx, const double *restrict gain,
                const double *restrict bias, double *restrict y, int ldy)
{
    for (int r = 0; r < rows; r++) {
        const double *from = x + (ptrdiff_t)r * ldx;
        double *to = y + (ptrdiff_t)r * ldy;
        double mean = 0, variance = 0;
        for (int i = 0; i < n; i++)
            mean += from[i];
        mean /= n;
        for (int i = 0; i < n; i++)
            variance += (from[i] - mean) * (from[i] - mean);
        double scale = 1 / sqrt(variance / n + epsilon);
        for (int i = 0; i < n; i++)
            to[i] = gain[i] * (from[i] - mean) * scale + bias[i];
    }
}
