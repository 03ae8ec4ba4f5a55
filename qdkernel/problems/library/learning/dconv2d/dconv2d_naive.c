/* One element of y after the other. */
#include <stddef.h>

void dconv2d(int h, int w, int c, int k, int r, const double *restrict x, const double *restrict weight,
             double *restrict y)
{
    for (int i = 0; i < h; i++)
        for (int j = 0; j < w; j++)
            for (int o = 0; o < k; o++) {
                double sum = 0;
                for (int di = 0; di < r; di++)
                    for (int dj = 0; dj < r; dj++)
                        for (int q = 0; q < c; q++)
                            sum += x[((ptrdiff_t)(i + di) * (w + r - 1) + j + dj) * c + q] *
                                   weight[((di * r + dj) * c + q) * k + o];
                y[((ptrdiff_t)i * w + j) * k + o] = sum;
            }
}
