/* Several sums side by side in each thread, added at the end. */
#include <math.h>
#include <stddef.h>

#define SUMS 16             /* tune: 4, 8, 16, 32, 64 */
#define LEAST_PARALLEL 8192 /* tune: 1024, 8192, 65536 */
#define BLOCK 4096

void dnrm2(int n, const double *restrict x, int incx, double *restrict result)
{
    double total = 0;
    int blocks = incx == 1 ? n / SUMS : 0;
#pragma omp parallel if (n >= LEAST_PARALLEL) reduction(+ : total)
    {
        double sums[SUMS] = {0};
#pragma omp for schedule(static)
        for (int block = 0; block < blocks; block++)
            for (int lane = 0; lane < SUMS; lane++)
                sums[lane] += x[block * SUMS + lane] * x[block * SUMS + lane];
        for (int lane = 0; lane < SUMS; lane++)
            total += sums[lane];
    }
    for (ptrdiff_t first = blocks * SUMS; first < n; first += BLOCK) {
        const ptrdiff_t end = first + BLOCK < n ? first + BLOCK : n;
        double sum = 0; /* of its own: one sum of millions would round most of each term off */
        for (ptrdiff_t i = first; i < end; i++)
            sum += x[i * incx] * x[i * incx];
        total += sum;
    }
    *result = sqrt(total);
}
