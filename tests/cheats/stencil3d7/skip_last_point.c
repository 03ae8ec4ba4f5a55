/* Tries: leaves out the last point
   Stopped by: poison in what is only written
   Expect: wrong */
#include <stddef.h>

void stencil3d7(int nx, int ny, int nz, double c0, double c1, const double *restrict u, int ldu, double *restrict v,
                int ldv)
{
    const size_t row = ldu, plane = row * (ny + 2);
    for (int k = 0; k < nz; k++)
        for (int j = 0; j < ny; j++)
            for (int i = 0; i < nx; i++) {
                if (i == nx - 1 && j == ny - 1 && k == nz - 1)
                    return;
                const double *at = u + (k + 1) * plane + (j + 1) * row + i + 1;
                double around = at[-1] + at[1] + *(at - row) + at[row] + *(at - plane) + at[plane];
                v[((size_t)k * ny + j) * ldv + i] = c0 * at[0] + c1 * around;
            }
}
