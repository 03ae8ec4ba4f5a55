/* Elimination, then two substitutions. */
void ludcmp(int n, const double *restrict b, double *restrict A, double *restrict x)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            for (int k = 0; k < (i < j ? i : j); k++)
                A[i * n + j] -= A[i * n + k] * A[k * n + j];
            if (j < i)
                A[i * n + j] /= A[j * n + j];
        }
    for (int i = 0; i < n; i++) {
        x[i] = b[i];
        for (int j = 0; j < i; j++)
            x[i] -= A[i * n + j] * x[j];
    }
    for (int i = n - 1; i >= 0; i--) {
        for (int j = i + 1; j < n; j++)
            x[i] -= A[i * n + j] * x[j];
        x[i] /= A[i * n + i];
    }
}
