/* expect: cache/512/nested/near
   Tiles of rows and planes, dealt in both directions; the row above is fetched ahead. */
#define ROWS 16
#define PLANES 32

static inline int least(int a, int b)
{
    return a < b ? a : b;
}

void stencil3d7(int nx, int ny, int nz, double c0, double c1, const double *restrict u, int ldu, double *restrict v,
                int ldv)
{
    const ptrdiff_t row = ldu, plane = row * (ny + 2);
#pragma omp parallel for collapse(2)
    for (int kk = 0; kk < nz; kk += PLANES)
        for (int jj = 0; jj < ny; jj += ROWS)
            for (int k = kk; k < least(kk + PLANES, nz); k++)
                for (int j = jj; j < least(jj + ROWS, ny); j++) {
                    const double *at = u + (k + 1) * plane + (j + 1) * row + 1;
                    double *out = v + ((ptrdiff_t)k * ny + j) * ldv;
                    __builtin_prefetch(at + 2 * plane);
                    for (int i = 0; i < nx; i++)
                        out[i] = c0 * at[i]
                                 + c1 * (at[i - 1] + at[i + 1] + at[i - row] + at[i + row] + at[i - plane] + at[i + plane]);
                }
}
