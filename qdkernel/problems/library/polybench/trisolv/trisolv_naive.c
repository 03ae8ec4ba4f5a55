/* One element after the other. */
void trisolv(int n, const double *restrict L, const double *restrict b, double *restrict x)
{
    for (int i = 0; i < n; i++) {
        x[i] = b[i];
        for (int j = 0; j < i; j++)
            x[i] -= L[i * n + j] * x[j];
        x[i] /= L[i * n + i];
    }
}
