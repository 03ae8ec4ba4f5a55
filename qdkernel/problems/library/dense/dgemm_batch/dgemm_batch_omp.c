/* Matrices for the threads; a strip of columns of one row of C stays in registers. */
#include <stddef.h>

#define STRIP 16 /* tune: 4, 8, 16, 32 */

void dgemm_batch(int batch, int n, const double *restrict A, const double *restrict B, double *restrict C)
{
#pragma omp parallel for schedule(static)
    for (int b = 0; b < batch; b++) {
        const double *a = A + (ptrdiff_t)b * n * n, *from = B + (ptrdiff_t)b * n * n;
        double *c = C + (ptrdiff_t)b * n * n;
        for (int i = 0; i < n; i++)
            for (int left = 0; left < n; left += STRIP) {
                int width = n - left < STRIP ? n - left : STRIP;
                double sums[STRIP] = {0};
                if (width == STRIP)
                    for (int k = 0; k < n; k++)
#pragma omp simd
                        for (int j = 0; j < STRIP; j++)
                            sums[j] += a[i * n + k] * from[k * n + left + j];
                else
                    for (int k = 0; k < n; k++)
                        for (int j = 0; j < width; j++)
                            sums[j] += a[i * n + k] * from[k * n + left + j];
                for (int j = 0; j < width; j++)
                    c[i * n + left + j] = sums[j];
            }
    }
}
