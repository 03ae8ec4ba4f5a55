/* One row at a time, by way of a copy. */
#include <stdlib.h>

void doitgen(int nr, int nq, int np, const double *restrict C, double *restrict A)
{
    double *sum = malloc(np * sizeof(double));
    for (int r = 0; r < nr; r++)
        for (int q = 0; q < nq; q++) {
            double *row = A + (r * nq + q) * np;
            for (int p = 0; p < np; p++) {
                sum[p] = 0;
                for (int s = 0; s < np; s++)
                    sum[p] += row[s] * C[s * np + p];
            }
            for (int p = 0; p < np; p++)
                row[p] = sum[p];
        }
    free(sum);
}
