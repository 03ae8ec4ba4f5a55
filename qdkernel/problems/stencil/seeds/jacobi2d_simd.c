/* Explicit vectors, and a prefetch of the only new row that a sweep reads, the southern one; one thread. */
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

static void relax_row(int n, const double *restrict centre, double *restrict out, size_t ld)
{
    const double *north = centre - ld, *south = centre + ld;
    int j = 1;
    for (; j + LANES <= n + 1; j += LANES) {
        if ((j - 1) % LINE_DOUBLES == 0) /* once per line */
            __builtin_prefetch(south + j + PREFETCH_DOUBLES, 0, 3);
        vector sum = at(centre + j) + at(north + j) + at(south + j) + at(centre + j - 1) + at(centre + j + 1);
        *(vector *)(out + j) = 0.2 * sum;
    }
    for (; j <= n; j++)
        out[j] = 0.2 * (centre[j] + north[j] + south[j] + centre[j - 1] + centre[j + 1]);
}

void jacobi2d(int n, int t, double *restrict u, double *restrict v, int ld)
{
    for (int step = 0; step < t; step++) {
        const double *from = step % 2 == 0 ? u : v;
        double *to = step % 2 == 0 ? v : u;
        for (int i = 1; i <= n; i++)
            relax_row(n, from + (size_t)i * ld, to + (size_t)i * ld, ld);
    }
}
