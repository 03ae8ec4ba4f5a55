/* Rows shared among threads in equal parts; each thread works through its rows UNROLL_ROWS at a time, so that a row
   read as the south of one point is still in a register as the centre of the next. */
#include <stddef.h>

#define UNROLL_ROWS 2 /* tune: 1, 2, 4, 8 */

/* UNROLL_ROWS rows from the one at `centre` on; known at compile time, so the inner loop unrolls away. */
static inline void rows(int count, int n, const double *restrict centre, double *restrict out, size_t ld)
{
    for (int j = 1; j <= n; j++)
        for (int r = 0; r < count; r++) {
            const double *at = centre + r * ld + j;
            out[r * ld + j] = 0.2 * (at[0] + *(at - ld) + at[ld] + at[-1] + at[1]);
        }
}

void jacobi2d(int n, int t, double *restrict u, double *restrict v, int ld)
{
    size_t stride = ld;
#pragma omp parallel
    for (int step = 0; step < t; step++) {
        const double *from = step % 2 == 0 ? u : v;
        double *to = step % 2 == 0 ? v : u;
#pragma omp for schedule(static)
        for (int i = 1; i <= n; i += UNROLL_ROWS) {
            if (i + UNROLL_ROWS <= n + 1) {
                rows(UNROLL_ROWS, n, from + i * stride, to + i * stride, stride);
            } else {
                for (int r = i; r <= n; r++)
                    rows(1, n, from + r * stride, to + r * stride, stride);
            }
        }
    }
}
