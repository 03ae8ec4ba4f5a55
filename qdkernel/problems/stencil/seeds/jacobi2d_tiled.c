/* Rectangular tiles, shared among threads in both directions: a tile's three live rows stay in the first-level cache
   however long the grid's rows are. */
#include <stddef.h>

#define TILE_ROWS 64   /* tune: 8, 16, 32, 64, 128, 256 */
#define TILE_COLS 1024 /* tune: 128, 256, 512, 1024, 2048 */

static inline int least(int a, int b)
{
    return a < b ? a : b;
}

void jacobi2d(int n, int t, double *restrict u, double *restrict v, int ld)
{
#pragma omp parallel
    for (int step = 0; step < t; step++) {
        const double *from = step % 2 == 0 ? u : v;
        double *to = step % 2 == 0 ? v : u;
#pragma omp for collapse(2) schedule(static)
        for (int top = 1; top <= n; top += TILE_ROWS) {
            for (int left = 1; left <= n; left += TILE_COLS) {
                int bottom = least(top + TILE_ROWS, n + 1), right = least(left + TILE_COLS, n + 1);
                for (int i = top; i < bottom; i++) {
                    const double *centre = from + (size_t)i * ld, *north = centre - ld, *south = centre + ld;
                    double *out = to + (size_t)i * ld;
#pragma omp simd
                    for (int j = left; j < right; j++)
                        out[j] = 0.2 * (centre[j] + north[j] + south[j] + centre[j - 1] + centre[j + 1]);
                }
            }
        }
    }
}
