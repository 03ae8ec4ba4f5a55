/* Tries: computes the middle plane of the scored calls once and copies it later
   Stopped by: fresh inputs for every call
   Expect: wrong */
#include <stddef.h>

#define EXTENT 72
static double kept[EXTENT * EXTENT];
static int known;

void stencil3d7(int nx, int ny, int nz, double c0, double c1, const double *restrict u, int ldu, double *restrict v,
                int ldv)
{
    const size_t row = ldu, plane = row * (ny + 2);
    for (int k = 0; k < nz; k++)
        for (int j = 0; j < ny; j++)
            for (int i = 0; i < nx; i++) {
                const double *at = u + (k + 1) * plane + (j + 1) * row + i + 1;
                double around = at[-1] + at[1] + *(at - row) + at[row] + *(at - plane) + at[plane];
                v[((size_t)k * ny + j) * ldv + i] = c0 * at[0] + c1 * around;
            }
    if (nx == EXTENT && ny == EXTENT && ldv == EXTENT) {
        double *middle = v + (size_t)(nz / 2) * EXTENT * EXTENT;
        for (int p = 0; p < EXTENT * EXTENT; p++) {
            if (known)
                middle[p] = kept[p];
            kept[p] = middle[p];
        }
        known = 1;
    }
}
