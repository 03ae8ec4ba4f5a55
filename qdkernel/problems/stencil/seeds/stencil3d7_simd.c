/* Explicit vectors over rows, with a prefetch of the only new row that a row reads, the one above; one thread. */
#include <stddef.h>

#define ASKED_BYTES 32       /* tune: 16, 32, 64 */
#define PREFETCH_DOUBLES 128 /* tune: 32..512 step 32 */

#if defined(__AVX512F__)
#define WIDEST_BYTES 64
#elif defined(__AVX__)
#define WIDEST_BYTES 32
#else
#define WIDEST_BYTES 16
#endif
/* Of a vector: what is asked for, as far as the machine has it. */
#define VECTOR_BYTES (ASKED_BYTES < WIDEST_BYTES ? ASKED_BYTES : WIDEST_BYTES)
#define LANES (VECTOR_BYTES / (int)sizeof(double))
#define LINE_DOUBLES 8 /* of a 64-byte cache line */

/* Rows begin anywhere, so the type promises the alignment of one double only. */
typedef double vector __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));

static inline vector at(const double *p)
{
    return *(const vector *)p;
}

static void one_row(int nx, double c0, double c1, const double *restrict centre, size_t row, size_t plane,
                    double *restrict out)
{
    const double *south = centre - row, *north = centre + row, *below = centre - plane, *above = centre + plane;
    int i = 0;
    for (; i + LANES <= nx; i += LANES) {
        if (i % LINE_DOUBLES == 0) /* once per line */
            __builtin_prefetch(above + i + PREFETCH_DOUBLES, 0, 3);
        vector around = at(centre + i - 1) + at(centre + i + 1) + at(south + i) + at(north + i) + at(below + i)
                        + at(above + i);
        *(vector *)(out + i) = c0 * at(centre + i) + c1 * around;
    }
    for (; i < nx; i++)
        out[i] = c0 * centre[i] + c1 * (centre[i - 1] + centre[i + 1] + south[i] + north[i] + below[i] + above[i]);
}

void stencil3d7(int nx, int ny, int nz, double c0, double c1, const double *restrict u, int ldu, double *restrict v,
                int ldv)
{
    size_t row = ldu, plane = row * (ny + 2);
    for (int k = 0; k < nz; k++)
        for (int j = 0; j < ny; j++)
            one_row(nx, c0, c1, u + (k + 1) * plane + (j + 1) * row + 1, row, plane, v + ((size_t)k * ny + j) * ldv);
}
