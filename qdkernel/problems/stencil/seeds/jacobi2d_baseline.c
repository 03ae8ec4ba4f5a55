/* The baseline: what an engineer writes first, a parallel loop over rows with a vectorised loop over columns. */
#include <stddef.h>

static void sweep(int n, const double *restrict from, double *restrict to, size_t ld)
{
#pragma omp for schedule(static)
    for (int i = 1; i <= n; i++) {
        const double *centre = from + i * ld, *north = centre - ld, *south = centre + ld;
        double *out = to + i * ld;
#pragma omp simd
        for (int j = 1; j <= n; j++)
            out[j] = 0.2 * (centre[j] + north[j] + south[j] + centre[j - 1] + centre[j + 1]);
    }
}

void jacobi2d(int n, int t, double *restrict u, double *restrict v, int ld)
{
#pragma omp parallel
    for (int step = 0; step < t; step++) /* the loop in sweep ends with a barrier */
        sweep(n, step % 2 == 0 ? u : v, step % 2 == 0 ? v : u, ld);
}
