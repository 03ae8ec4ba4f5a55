/* One product after the other. */
static void product(int n, const double *restrict A, const double *restrict B, double *restrict C)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            C[i * n + j] = 0;
            for (int k = 0; k < n; k++)
                C[i * n + j] += A[i * n + k] * B[k * n + j];
        }
}

void mm3(int n, const double *restrict A, const double *restrict B, const double *restrict C, const double *restrict D,
         double *restrict E, double *restrict F, double *restrict G)
{
    product(n, A, B, E);
    product(n, C, D, F);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            G[i * n + j] = 0;
            for (int k = 0; k < n; k++)
                G[i * n + j] += E[i * n + k] * F[k * n + j];
        }
}
