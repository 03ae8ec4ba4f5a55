/* Explicit vectors, several in flight, and a prefetch of both streams; one thread. */
#include <stddef.h>

#define ASKED_BYTES 32       /* tune: 16, 32, 64 */
#define UNROLL 4             /* tune: 1, 2, 4, 8 */
#define PREFETCH_DOUBLES 256 /* tune: 64..1024 step 64 */

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
#define STEP (UNROLL * LANES)
#define LINE_DOUBLES 8 /* of a 64-byte cache line */

/* Vectors begin anywhere, so the type promises the alignment of one double only. */
typedef double vector __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));

static int contiguous(int n, double alpha, const double *restrict x, double *restrict y)
{
    int i = 0;
    for (; i + STEP <= n; i += STEP) {
        for (int ahead = 0; ahead < STEP; ahead += LINE_DOUBLES) {
            __builtin_prefetch(x + i + ahead + PREFETCH_DOUBLES, 0, 3);
            __builtin_prefetch(y + i + ahead + PREFETCH_DOUBLES, 1, 3);
        }
#pragma GCC unroll 8
        for (int part = 0; part < UNROLL; part++) {
            vector *out = (vector *)(y + i + part * LANES);
            *out += alpha * *(const vector *)(x + i + part * LANES);
        }
    }
    return i;
}

void daxpy(int n, double alpha, const double *restrict x, int incx, double *restrict y, int incy)
{
    if (n <= 0 || alpha == 0)
        return;
    int i = incx == 1 && incy == 1 ? contiguous(n, alpha, x, y) : 0;
    ptrdiff_t stepx = incx, stepy = incy;
    const double *fromx = stepx < 0 ? x + (1 - n) * stepx : x;
    double *fromy = stepy < 0 ? y + (1 - n) * stepy : y;
    for (; i < n; i++)
        fromy[i * stepy] += alpha * fromx[i * stepx];
}
