/* One step after the other. */
void gemver(int n, double alpha, double beta, const double *restrict u1, const double *restrict v1,
            const double *restrict u2, const double *restrict v2, const double *restrict y, const double *restrict z,
            double *restrict A, double *restrict x, double *restrict w)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            A[i * n + j] += u1[i] * v1[j] + u2[i] * v2[j];
    for (int i = 0; i < n; i++) {
        x[i] = z[i];
        for (int j = 0; j < n; j++)
            x[i] += beta * A[j * n + i] * y[j];
    }
    for (int i = 0; i < n; i++) {
        w[i] = 0;
        for (int j = 0; j < n; j++)
            w[i] += alpha * A[i * n + j] * x[j];
    }
}
