/* Each row of A is used twice. */
void atax(int n, const double *restrict A, const double *restrict x, double *restrict t, double *restrict y)
{
    for (int i = 0; i < n; i++)
        y[i] = 0;
    for (int i = 0; i < n; i++) {
        t[i] = 0;
        for (int j = 0; j < n; j++)
            t[i] += A[i * n + j] * x[j];
        for (int j = 0; j < n; j++)
            y[j] += A[i * n + j] * t[i];
    }
}
