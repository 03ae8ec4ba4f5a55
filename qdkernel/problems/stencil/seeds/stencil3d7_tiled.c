/* Tiles of rows, walked through all planes of a thread's share: the three planes of a tile that a point needs stay in
   the cache until the point above has used them. */
#include <stddef.h>

#define TILE_ROWS 32   /* tune: 8, 16, 32, 64, 128 */
#define TILE_PLANES 64 /* tune: 8, 16, 32, 64, 128 */

static inline int least(int a, int b)
{
    return a < b ? a : b;
}

void stencil3d7(int nx, int ny, int nz, double c0, double c1, const double *restrict u, int ldu, double *restrict v,
                int ldv)
{
    const size_t row = ldu, plane = row * (ny + 2);
#pragma omp parallel for collapse(2) schedule(static)
    for (int bottom = 0; bottom < nz; bottom += TILE_PLANES) {
        for (int left = 0; left < ny; left += TILE_ROWS) {
            int top = least(bottom + TILE_PLANES, nz), right = least(left + TILE_ROWS, ny);
            for (int k = bottom; k < top; k++) {
                for (int j = left; j < right; j++) {
                    const double *centre = u + (k + 1) * plane + (j + 1) * row + 1;
                    const double *south = centre - row, *north = centre + row;
                    const double *below = centre - plane, *above = centre + plane;
                    double *out = v + ((size_t)k * ny + j) * ldv;
#pragma omp simd
                    for (int i = 0; i < nx; i++)
                        out[i] = c0 * centre[i]
                                 + c1 * (centre[i - 1] + centre[i + 1] + south[i] + north[i] + below[i] + above[i]);
                }
            }
        }
    }
}
