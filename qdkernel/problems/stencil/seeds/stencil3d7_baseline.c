/* The baseline: what an engineer writes first, a parallel loop over planes with a vectorised loop along x. */
#include <stddef.h>

void stencil3d7(int nx, int ny, int nz, double c0, double c1, const double *restrict u, int ldu, double *restrict v,
                int ldv)
{
    const size_t row = ldu, plane = row * (ny + 2);
#pragma omp parallel for schedule(static)
    for (int k = 0; k < nz; k++) {
        for (int j = 0; j < ny; j++) {
            const double *centre = u + (k + 1) * plane + (j + 1) * row + 1;
            const double *south = centre - row, *north = centre + row, *below = centre - plane, *above = centre + plane;
            double *out = v + ((size_t)k * ny + j) * ldv;
#pragma omp simd
            for (int i = 0; i < nx; i++)
                out[i] = c0 * centre[i]
                         + c1 * (centre[i - 1] + centre[i + 1] + south[i] + north[i] + below[i] + above[i]);
        }
    }
}
