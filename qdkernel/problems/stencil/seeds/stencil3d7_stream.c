/* Results bypass the caches: no line is fetched only to be overwritten, a third of the traffic of plain stores.
   Chunks of rows are handed out as threads become free. */
#include <stddef.h>
#include <stdint.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define CHUNK_ROWS 32 /* tune: 8, 16, 32, 64, 128, 256 */

/* LANES values; the target of a streaming store is a multiple of their size. */
#if defined(__AVX512F__)
#define LANES 8
#define VECTOR __m512d
#define LOAD(p) _mm512_loadu_pd(p)
#define ADD(a, b) _mm512_add_pd(a, b)
#define TIMES(a, x) _mm512_mul_pd(_mm512_set1_pd(a), x)
#define STREAM(p, x) _mm512_stream_pd(p, x)
#elif defined(__AVX__)
#define LANES 4
#define VECTOR __m256d
#define LOAD(p) _mm256_loadu_pd(p)
#define ADD(a, b) _mm256_add_pd(a, b)
#define TIMES(a, x) _mm256_mul_pd(_mm256_set1_pd(a), x)
#define STREAM(p, x) _mm256_stream_pd(p, x)
#elif defined(__SSE2__)
#define LANES 2
#define VECTOR __m128d
#define LOAD(p) _mm_loadu_pd(p)
#define ADD(a, b) _mm_add_pd(a, b)
#define TIMES(a, x) _mm_mul_pd(_mm_set1_pd(a), x)
#define STREAM(p, x) _mm_stream_pd(p, x)
#endif

static inline double point(double c0, double c1, const double *at, size_t row, size_t plane)
{
    return c0 * at[0] + c1 * (at[-1] + at[1] + *(at - row) + at[row] + *(at - plane) + at[plane]);
}

static void one_row(int nx, double c0, double c1, const double *restrict centre, size_t row, size_t plane,
                    double *restrict out)
{
    int i = 0;
#ifdef LANES
    for (; i < nx && (uintptr_t)(out + i) % (LANES * sizeof(double)) != 0; i++)
        out[i] = point(c0, c1, centre + i, row, plane);
    for (; i + LANES <= nx; i += LANES) {
        const double *at = centre + i;
        VECTOR level = ADD(ADD(LOAD(at - 1), LOAD(at + 1)), ADD(LOAD(at - row), LOAD(at + row)));
        VECTOR around = ADD(level, ADD(LOAD(at - plane), LOAD(at + plane)));
        STREAM(out + i, ADD(TIMES(c0, LOAD(at)), TIMES(c1, around)));
    }
#endif
    for (; i < nx; i++)
        out[i] = point(c0, c1, centre + i, row, plane);
}

void stencil3d7(int nx, int ny, int nz, double c0, double c1, const double *restrict u, int ldu, double *restrict v,
                int ldv)
{
    const size_t row = ldu, plane = row * (ny + 2);
#pragma omp parallel
    {
#pragma omp for collapse(2) schedule(dynamic, CHUNK_ROWS)
        for (int k = 0; k < nz; k++)
            for (int j = 0; j < ny; j++)
                one_row(nx, c0, c1, u + (k + 1) * plane + (j + 1) * row + 1, row, plane,
                        v + ((size_t)k * ny + j) * ldv);
#if defined(__SSE2__)
        _mm_sfence(); /* streamed rows must be visible to whoever reads them after the call */
#endif
    }
}
