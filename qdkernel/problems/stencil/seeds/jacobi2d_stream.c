/* Results bypass the caches: no line is fetched only to be overwritten, a third of the traffic of plain stores.
   Chunks of rows are handed out as threads become free. */
#include <stddef.h>
#include <stdint.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define CHUNK_ROWS 32 /* tune: 4, 8, 16, 32, 64, 128 */

/* LANES results of `p[..]` points, stored past the caches; the target's address is a multiple of their size. */
#if defined(__AVX512F__)
#define LANES 8
#define LOAD(p) _mm512_loadu_pd(p)
#define ADD(a, b) _mm512_add_pd(a, b)
#define STREAM_FIFTH(p, sum) _mm512_stream_pd(p, _mm512_mul_pd(_mm512_set1_pd(0.2), sum))
#elif defined(__AVX__)
#define LANES 4
#define LOAD(p) _mm256_loadu_pd(p)
#define ADD(a, b) _mm256_add_pd(a, b)
#define STREAM_FIFTH(p, sum) _mm256_stream_pd(p, _mm256_mul_pd(_mm256_set1_pd(0.2), sum))
#elif defined(__SSE2__)
#define LANES 2
#define LOAD(p) _mm_loadu_pd(p)
#define ADD(a, b) _mm_add_pd(a, b)
#define STREAM_FIFTH(p, sum) _mm_stream_pd(p, _mm_mul_pd(_mm_set1_pd(0.2), sum))
#endif

static inline double point(const double *at, size_t ld)
{
    return 0.2 * (at[0] + *(at - ld) + at[ld] + at[-1] + at[1]);
}

static void relax_row(int n, const double *restrict centre, double *restrict out, size_t ld)
{
    int j = 1;
#ifdef LANES
    for (; j <= n && (uintptr_t)(out + j) % (LANES * sizeof(double)) != 0; j++)
        out[j] = point(centre + j, ld);
    for (; j + LANES <= n + 1; j += LANES) {
        const double *at = centre + j;
        STREAM_FIFTH(out + j, ADD(ADD(ADD(LOAD(at), LOAD(at - ld)), ADD(LOAD(at + ld), LOAD(at - 1))), LOAD(at + 1)));
    }
#endif
    for (; j <= n; j++)
        out[j] = point(centre + j, ld);
}

void jacobi2d(int n, int t, double *restrict u, double *restrict v, int ld)
{
#pragma omp parallel
    for (int step = 0; step < t; step++) {
        const double *from = step % 2 == 0 ? u : v;
        double *to = step % 2 == 0 ? v : u;
#pragma omp for schedule(dynamic, CHUNK_ROWS) nowait
        for (int i = 1; i <= n; i++)
            relax_row(n, from + (size_t)i * ld, to + (size_t)i * ld, ld);
#if defined(__SSE2__)
        _mm_sfence(); /* streamed rows must be visible before a neighbour reads them in the next sweep */
#endif
#pragma omp barrier
    }
}
