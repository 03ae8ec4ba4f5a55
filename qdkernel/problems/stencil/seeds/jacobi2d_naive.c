/* One sweep after the other, point by point, one thread. */
#include <stddef.h>

void jacobi2d(int n, int t, double *restrict u, double *restrict v, int ld)
{
    for (int step = 0; step < t; step++) {
        const double *from = step % 2 == 0 ? u : v;
        double *to = step % 2 == 0 ? v : u;
        for (int i = 1; i <= n; i++) {
            for (int j = 1; j <= n; j++) {
                size_t at = (size_t)i * ld + j;
                to[at] = 0.2 * (from[at] + from[at - ld] + from[at + ld] + from[at - 1] + from[at + 1]);
            }
        }
    }
}
