/* One product after the other. */
void mvt(int n, const double *restrict A, const double *restrict y, const double *restrict w, double *restrict x,
         double *restrict u)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            x[i] += A[i * n + j] * y[j];
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            u[i] += A[j * n + i] * w[j];
}
