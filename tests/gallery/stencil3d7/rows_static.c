/* expect: none/512/static/none
   Planes shared among threads in equal parts; the rows vectorise, and each point is loaded for every use. */
void stencil3d7(int nx, int ny, int nz, double c0, double c1, const double *restrict u, int ldu, double *restrict v,
                int ldv)
{
    const ptrdiff_t row = ldu, plane = row * (ny + 2);
#pragma omp parallel for schedule(static)
    for (int k = 0; k < nz; k++)
        for (int j = 0; j < ny; j++) {
            const double *at = u + (k + 1) * plane + (j + 1) * row + 1;
            double *out = v + ((ptrdiff_t)k * ny + j) * ldv;
            for (int i = 0; i < nx; i++)
                out[i] = c0 * at[i] + c1 * (at[i - 1] + at[i + 1] + at[i - row] + at[i + row] + at[i - plane] + at[i + plane]);
        }
}
