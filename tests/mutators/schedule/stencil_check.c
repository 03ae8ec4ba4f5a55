/* Runs a two-dimensional or, with SOLID defined, three-dimensional stencil over odd sizes, sweeps and strides; exits 0
   when every result is right. Each buffer ends at a page that must not be touched, the interior of the second one enters
   as NaN, and the boundaries of both must stay. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef SOLID
void KERNEL(int nz, int ny, int nx, int t, double *u, double *v);
#else
void KERNEL(int n, int t, double *u, double *v, int ld);
#endif

typedef struct {
    double *at;
    char *map;
    size_t bytes, count;
} guarded;

static guarded make(size_t count)
{
    const size_t page = sysconf(_SC_PAGESIZE), bytes = (count * sizeof(double) + page - 1) / page * page;
    char *map = mmap(0, bytes + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(map, page, PROT_NONE);
    mprotect(map + page + bytes, page, PROT_NONE);
    return (guarded){(double *)(map + page + bytes) - count, map, bytes + 2 * page, count};
}

static int wrong(int nz, int ny, int nx, int t, int pad)
{
    const size_t row = nx + 2 + pad, plane = row * (ny + 2), planes = nz ? nz + 2 : 1;
    const size_t count = planes * plane - pad; /* nothing follows the last row's boundary */
    guarded u = make(count), v = make(count);
    double *old = malloc(count * sizeof *old), *new = malloc(count * sizeof *new);
    const int first = nz ? 1 : 0, last = nz ? nz : 0;
    for (size_t e = 0; e < count; e++)
        u.at[e] = v.at[e] = old[e] = new[e] = (rand() % 2001 - 1000) / 64.0;
    for (int k = first; k <= last; k++)
        for (int i = 1; i <= ny; i++)
            for (int j = 1; j <= nx; j++)
                v.at[k * plane + i * row + j] = NAN;
    for (int step = 0; step < t; step++) {
        for (int k = first; k <= last; k++)
            for (int i = 1; i <= ny; i++)
                for (int j = 1; j <= nx; j++) {
                    const double *c = old + k * plane + i * row + j;
                    double ring = c[-1] + c[1] + *(c - row) + c[row];
#ifdef SOLID
                    new[k * plane + i * row + j] = 0.4 * c[0] + 0.1 * (ring + *(c - plane) + c[plane]);
#else
                    new[k * plane + i * row + j] = 0.2 * (c[0] + ring);
#endif
                }
        double *swap = old;
        old = new;
        new = swap;
    }
#ifdef SOLID
    KERNEL(nz, ny, nx, t, u.at, v.at);
#else
    KERNEL(ny, t, u.at, v.at, (int)row);
#endif
    const double *got = t % 2 ? v.at : u.at, *other = t % 2 ? u.at : v.at;
    int errors = 0;
    for (size_t e = 0; e < count; e++) {
        const size_t j = e % row, i = e / row % (ny + 2), k = e / plane;
        const int inside = j >= 1 && j <= (size_t)nx && i >= 1 && i <= (size_t)ny && (!nz || (k >= 1 && k <= (size_t)nz));
        errors += inside ? !(fabs(got[e] - old[e]) <= 1e-12) : got[e] != old[e] || other[e] != old[e];
    }
    if (errors)
        printf("%d wrong at nz=%d ny=%d nx=%d t=%d pad=%d\n", errors, nz, ny, nx, t, pad);
    munmap(u.map, u.bytes);
    munmap(v.map, v.bytes);
    free(old);
    free(new);
    return errors != 0;
}

int main(void)
{
    static const int sizes[] = {0, 1, 2, 3, 5, 7, 8, 9, 16, 17, 31, 33, 47, 64, 65, 70, 131, 203};
    static const int sweeps[] = {0, 1, 2, 3, 4, 7};
    int failures = 0;
#ifdef SOLID
    for (int t = 0; t < 6; t++)
        for (int s = 1; s < 14; s++) {
            failures += wrong(sizes[s], sizes[13 - s] + 1, sizes[s] + 2, sweeps[t], 0);
            failures += wrong(1 + s % 3, sizes[s], sizes[17 - s], sweeps[t], 0);
        }
#else
    for (int t = 0; t < 6; t++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            failures += wrong(0, sizes[s], sizes[s], sweeps[t], (int)(s + t) % 4);
    failures += wrong(0, 521, 521, 3, 1) + wrong(0, 700, 700, 9, 0);
#endif
    return failures != 0;
}
