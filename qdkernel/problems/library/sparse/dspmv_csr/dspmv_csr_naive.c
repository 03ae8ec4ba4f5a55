/* One row after the other. */
void dspmv_csr(int n, int nnz, const int *restrict start, const int *restrict column, const double *restrict value,
               const double *restrict x, double *restrict y)
{
    for (int i = 0; i < n; i++) {
        double sum = 0;
        for (int at = start[i]; at < start[i + 1]; at++)
            sum += value[at] * x[column[at]];
        y[i] = sum;
    }
}
