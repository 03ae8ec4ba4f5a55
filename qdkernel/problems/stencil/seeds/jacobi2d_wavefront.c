/* Several sweeps in one pass over memory.

   A band of rows is swept by a wavefront: as soon as rows i-1, i, i+1 have had sweep s-1, row i gets sweep s, so only
   about SWEEPS rows of both buffers are live and stay in cache. Bands run in parallel. A band does not know its
   neighbours' new rows, so each sweep leaves one row more undone at both ends (a trapezoid), and a second phase fills
   the wedges between bands. Two buffers are enough: a row is overwritten by sweep s+1 only after every row that needs
   its sweep s-1 has been done, in the wedges too. */
#include <omp.h>
#include <stddef.h>

#define SWEEPS 8      /* tune: 1..16 step 1 */
#define BAND_ROWS 128 /* tune: 32, 64, 128, 256, 512, 1024 */

typedef struct {
    double *from, *to; /* what odd sweeps of this pass read and write; even ones the other way round */
    int n;
    size_t ld;
} grid;

static inline void relax_row(const grid *g, int sweep, int i)
{
    const double *restrict centre = (sweep % 2 ? g->from : g->to) + i * g->ld;
    double *restrict out = (sweep % 2 ? g->to : g->from) + i * g->ld;
    const double *north = centre - g->ld, *south = centre + g->ld;
    int n = g->n;
#pragma omp simd
    for (int j = 1; j <= n; j++)
        out[j] = 0.2 * (centre[j] + north[j] + south[j] + centre[j - 1] + centre[j + 1]);
}

/* Rows top..bottom-1, sweeps 1..depth; an inner end loses a row per sweep, the grid's own edge does not. */
static void trapezoid(const grid *g, int depth, int top, int bottom)
{
    int shrink_top = top > 1, shrink_bottom = bottom <= g->n;
    for (int wave = top; wave < bottom + depth - 1; wave++) {
        for (int sweep = 1; sweep <= depth; sweep++) {
            int lost = sweep - 1, i = wave - lost;
            if (i >= top + shrink_top * lost && i < bottom - shrink_bottom * lost)
                relax_row(g, sweep, i);
        }
    }
}

/* What the bands that meet above row `joint` left undone. */
static void wedge(const grid *g, int depth, int joint)
{
    for (int sweep = 2; sweep <= depth; sweep++)
        for (int i = joint - (sweep - 1); i < joint + (sweep - 1); i++)
            relax_row(g, sweep, i);
}

static int band_count(int n, int depth)
{
    int least_rows = BAND_ROWS > 2 * depth ? BAND_ROWS : 2 * depth; /* a trapezoid and its wedges must fit */
    int count = n / least_rows, threads = omp_get_max_threads();
    if (count > threads)
        count -= count % threads; /* equal shares */
    return count > 1 ? count : 1;
}

void jacobi2d(int n, int t, double *restrict u, double *restrict v, int ld)
{
    for (int done = 0; done < t; done += SWEEPS) {
        int depth = t - done < SWEEPS ? t - done : SWEEPS;
        int bands = band_count(n, depth);
        grid g = {done % 2 ? v : u, done % 2 ? u : v, n, ld};
#define FIRST_ROW(band) (1 + (int)((long long)n * (band) / bands))
#pragma omp parallel
        {
#pragma omp for schedule(static)
            for (int band = 0; band < bands; band++)
                trapezoid(&g, depth, FIRST_ROW(band), FIRST_ROW(band + 1));
#pragma omp for schedule(static)
            for (int band = 1; band < bands; band++)
                wedge(&g, depth, FIRST_ROW(band));
        }
    }
}
