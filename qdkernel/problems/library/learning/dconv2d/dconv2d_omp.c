/* Rows for the threads; a strip of output channels of one point stays in registers. */
#include <stddef.h>

#define STRIP 32 /* tune: 4, 8, 16, 32, 64 */

void dconv2d(int h, int w, int c, int k, int r, const double *restrict x, const double *restrict weight,
             double *restrict y)
{
#pragma omp parallel for collapse(2) schedule(static)
    for (int i = 0; i < h; i++)
        for (int j = 0; j < w; j++)
            for (int first = 0; first < k; first += STRIP) {
                int width = k - first < STRIP ? k - first : STRIP;
                double sums[STRIP] = {0};
                for (int di = 0; di < r; di++)
                    for (int at = 0; at < r * c; at++) {
                        double value = x[((ptrdiff_t)(i + di) * (w + r - 1) + j) * c + at];
                        const double *row = weight + (di * r * c + at) * k + first;
#pragma omp simd
                        for (int o = 0; o < width; o++)
                            sums[o] += value * row[o];
                    }
                for (int o = 0; o < width; o++)
                    y[((ptrdiff_t)i * w + j) * k + first + o] = sums[o];
            }
}
