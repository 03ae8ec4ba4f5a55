/* Tries: computes in single precision
   Stopped by: the error bound
   Expect: wrong */
#include <stddef.h>

void stencil3d7(int nx, int ny, int nz, double c0, double c1, const double *restrict u, int ldu, double *restrict v,
                int ldv)
{
    const size_t row = ldu, plane = row * (ny + 2);
    for (int k = 0; k < nz; k++)
        for (int j = 0; j < ny; j++)
            for (int i = 0; i < nx; i++) {
                const double *at = u + (k + 1) * plane + (j + 1) * row + i + 1;
                float around = (float)at[-1] + (float)at[1] + *(at - row) + at[row] + *(at - plane) + at[plane];
                v[((size_t)k * ny + j) * ldv + i] = (float)c0 * (float)at[0] + (float)c1 * around;
            }
}
