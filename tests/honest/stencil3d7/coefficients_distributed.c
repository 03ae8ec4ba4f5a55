/* Honest. Each term is multiplied by its coefficient, the neighbours in an unusual order. */
#include <stddef.h>

void stencil3d7(int nx, int ny, int nz, double c0, double c1, const double *restrict u, int ldu, double *restrict v,
                int ldv)
{
    const size_t row = ldu, plane = row * (ny + 2);
    for (int k = 0; k < nz; k++)
        for (int j = 0; j < ny; j++)
            for (int i = 0; i < nx; i++) {
                const double *at = u + (k + 1) * plane + (j + 1) * row + i + 1;
                double sum = c1 * at[plane] + c1 * at[1];
                sum += c1 * *(at - row) + c0 * at[0];
                sum += c1 * *(at - plane) + (c1 * at[-1] + c1 * at[row]);
                v[((size_t)k * ny + j) * ldv + i] = sum;
            }
}
