/* expect: cache+register/256/static/none
   The same columns through blocks of 32 planes and 16 rows, whose planes fit into the cache. */
#define PLANES 32
#define ROWS 16

#define LANES 4
#define VECTORS 4

typedef double vector __attribute__((vector_size(8 * LANES), aligned(8), may_alias));

static inline vector at(const double *p)
{
    return *(const vector *)p;
}

/* One column of VECTORS vectors through the planes: the point below and the point itself stay in registers. */
static inline void column(int nz, double c0, double c1, const double *restrict u, ptrdiff_t row, ptrdiff_t plane,
                          double *restrict v, ptrdiff_t out)
{
    vector below[VECTORS], centre[VECTORS];
    for (int x = 0; x < VECTORS; x++) {
        below[x] = at(u - plane + LANES * x);
        centre[x] = at(u + LANES * x);
    }
    for (int k = 0; k < nz; k++) {
#pragma GCC unroll 4
        for (int x = 0; x < VECTORS; x++) {
            const double *p = u + LANES * x;
            vector above = at(p + plane);
            vector around = at(p - 1) + at(p + 1) + at(p - row) + at(p + row) + (below[x] + above);
            *(vector *)(v + LANES * x) = c0 * centre[x] + c1 * around;
            below[x] = centre[x];
            centre[x] = above;
        }
        u += plane;
        v += out;
    }
}

static inline void point(double c0, double c1, const double *p, ptrdiff_t row, ptrdiff_t plane, double *out)
{
    *out = c0 * *p + c1 * (p[-1] + p[1] + *(p - row) + p[row] + *(p - plane) + p[plane]);
}

static inline int least(int a, int b)
{
    return a < b ? a : b;
}

void stencil3d7(int nx, int ny, int nz, double c0, double c1, const double *restrict u, int ldu, double *restrict v,
                int ldv)
{
    const ptrdiff_t row = ldu, plane = row * (ny + 2), out = (ptrdiff_t)ldv * ny;
#pragma omp parallel for schedule(static)
    for (int kk = 0; kk < nz; kk += PLANES)
        for (int jj = 0; jj < ny; jj += ROWS)
            for (int j = jj; j < least(jj + ROWS, ny); j++) {
                const int planes = least(PLANES, nz - kk);
                const double *from = u + (kk + 1) * plane + (j + 1) * row + 1;
                double *to = v + (ptrdiff_t)j * ldv + kk * out;
                int i = 0;
                for (; i + LANES * VECTORS <= nx; i += LANES * VECTORS)
                    column(planes, c0, c1, from + i, row, plane, to + i, out);
                for (; i < nx; i++)
                    for (int k = 0; k < planes; k++)
                        point(c0, c1, from + i + k * plane, row, plane, to + i + k * out);
            }
}
