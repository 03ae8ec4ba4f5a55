/* Rows for the threads as they become free, since their lengths differ. */
#define ROWS 512 /* tune: 16, 64, 256, 512, 2048 */

void dspmv_csr(int n, int nnz, const int *restrict start, const int *restrict column, const double *restrict value,
               const double *restrict x, double *restrict y)
{
#pragma omp parallel for schedule(dynamic, ROWS)
    for (int i = 0; i < n; i++) {
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int at = start[i]; at < start[i + 1]; at++)
            sum += value[at] * x[column[at]];
        y[i] = sum;
    }
}
