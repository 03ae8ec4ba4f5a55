/* One product after the other. */
void mm2(int n, double alpha, double beta, const double *restrict A, const double *restrict B,
         const double *restrict C, double *restrict T, double *restrict D)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            T[i * n + j] = 0;
            for (int k = 0; k < n; k++)
                T[i * n + j] += alpha * A[i * n + k] * B[k * n + j];
        }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            D[i * n + j] *= beta;
            for (int k = 0; k < n; k++)
                D[i * n + j] += T[i * n + k] * C[k * n + j];
        }
}
