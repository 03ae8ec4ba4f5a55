/* Row by row, as in the definition. */
void lu(int n, double *restrict A)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            for (int k = 0; k < (i < j ? i : j); k++)
                A[i * n + j] -= A[i * n + k] * A[k * n + j];
            if (j < i)
                A[i * n + j] /= A[j * n + j];
        }
}
