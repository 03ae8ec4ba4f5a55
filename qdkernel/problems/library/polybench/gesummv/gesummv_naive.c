/* Both products in one pass over x. */
void gesummv(int n, double alpha, double beta, const double *restrict A, const double *restrict B,
             const double *restrict x, double *restrict y)
{
    for (int i = 0; i < n; i++) {
        double a = 0, b = 0;
        for (int j = 0; j < n; j++) {
            a += A[i * n + j] * x[j];
            b += B[i * n + j] * x[j];
        }
        y[i] = alpha * a + beta * b;
    }
}
