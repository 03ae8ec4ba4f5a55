/* Three passes over each row. */
#include <math.h>
#include <stddef.h>

void dsoftmax(int rows, int n, const double *restrict x, int ldx, double *restrict y, int ldy)
{
    for (int r = 0; r < rows; r++) {
        const double *from = x + (ptrdiff_t)r * ldx;
        double *to = y + (ptrdiff_t)r * ldy;
        double largest = from[0], sum = 0;
        for (int i = 1; i < n; i++)
            largest = fmax(largest, from[i]);
        for (int i = 0; i < n; i++) {
            to[i] = exp(from[i] - largest);
            sum += to[i];
        }
        for (int i = 0; i < n; i++)
            to[i] /= sum;
    }
}
