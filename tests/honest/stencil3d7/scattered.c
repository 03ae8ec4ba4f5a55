/* Honest. Starts from 0 and adds every input point to the results it takes part in. */
#include <stddef.h>

static const int OFFSETS[7][3] = {{0, 0, 0}, {1, 0, 0}, {-1, 0, 0}, {0, 1, 0}, {0, -1, 0}, {0, 0, 1}, {0, 0, -1}};

void stencil3d7(int nx, int ny, int nz, double c0, double c1, const double *restrict u, int ldu, double *restrict v,
                int ldv)
{
    const size_t row = ldu, plane = row * (ny + 2);
    for (int k = 0; k < nz; k++)
        for (int j = 0; j < ny; j++)
            for (int i = 0; i < nx; i++)
                v[((size_t)k * ny + j) * ldv + i] = 0;
    for (int k = -1; k <= nz; k++)
        for (int j = -1; j <= ny; j++)
            for (int i = -1; i <= nx; i++) {
                double value = u[(k + 1) * plane + (j + 1) * row + i + 1];
                for (int d = 0; d < 7; d++) {
                    int z = k + OFFSETS[d][0], y = j + OFFSETS[d][1], x = i + OFFSETS[d][2];
                    if (z >= 0 && z < nz && y >= 0 && y < ny && x >= 0 && x < nx)
                        v[((size_t)z * ny + y) * ldv + x] += (d == 0 ? c0 : c1) * value;
                }
            }
}
