/* Both products in one pass over A. */
void bicg(int n, const double *restrict A, const double *restrict p, const double *restrict r, double *restrict q,
          double *restrict s)
{
    for (int j = 0; j < n; j++)
        s[j] = 0;
    for (int i = 0; i < n; i++) {
        q[i] = 0;
        for (int j = 0; j < n; j++) {
            s[j] += r[i] * A[i * n + j];
            q[i] += A[i * n + j] * p[j];
        }
    }
}
