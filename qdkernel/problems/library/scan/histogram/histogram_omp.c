/* Counts of its own for each thread, added at the end. */
#include <stdlib.h>

#define LEAST_PARALLEL 16384 /* tune: 1024, 16384, 262144 */

void histogram(int n, int bins, const int *restrict value, int *restrict count)
{
    for (int b = 0; b < bins; b++)
        count[b] = 0;
#pragma omp parallel if (n >= LEAST_PARALLEL)
    {
        int *own = calloc(bins, sizeof *own);
#pragma omp for schedule(static)
        for (int i = 0; i < n; i++)
            own[value[i]]++;
#pragma omp critical
        for (int b = 0; b < bins; b++)
            count[b] += own[b];
        free(own);
    }
}
