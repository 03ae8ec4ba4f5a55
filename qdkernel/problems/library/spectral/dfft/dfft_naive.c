/* In order of reversed bits first, then one stage of butterflies after the other. */
#include <math.h>

void dfft(int log2n, const double *restrict x, double *restrict y)
{
    int n = 1 << log2n;
    for (int i = 0; i < n; i++) {
        int reversed = 0;
        for (int bit = 0; bit < log2n; bit++)
            reversed |= (i >> bit & 1) << (log2n - 1 - bit);
        y[2 * i] = x[2 * reversed];
        y[2 * i + 1] = x[2 * reversed + 1];
    }
    for (int half = 1; half < n; half *= 2)
        for (int k = 0; k < half; k++) {
            double angle = -3.141592653589793 * k / half;
            double re = cos(angle), im = sin(angle);
            for (int at = k; at < n; at += 2 * half) {
                double *a = y + 2 * at, *b = y + 2 * (at + half);
                double tr = re * b[0] - im * b[1], ti = re * b[1] + im * b[0];
                b[0] = a[0] - tr;
                b[1] = a[1] - ti;
                a[0] += tr;
                a[1] += ti;
            }
        }
}
