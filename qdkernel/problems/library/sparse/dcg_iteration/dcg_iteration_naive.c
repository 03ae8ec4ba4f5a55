/* q = A p, the step along p, the new residual and direction; p is 0 beyond the grid. */
void dcg_iteration(int n, double *restrict x, double *restrict r, double *restrict p, double *restrict q,
                   double *restrict rho)
{
    double along = 0, next = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            long at = (long)i * n + j;
            double sum = 4.5 * p[at];
            if (i > 0)
                sum -= p[at - n];
            if (i < n - 1)
                sum -= p[at + n];
            if (j > 0)
                sum -= p[at - 1];
            if (j < n - 1)
                sum -= p[at + 1];
            q[at] = sum;
            along += p[at] * sum;
        }
    double alpha = *rho / along;
    for (long at = 0; at < (long)n * n; at++) {
        x[at] += alpha * p[at];
        r[at] -= alpha * q[at];
        next += r[at] * r[at];
    }
    double beta = next / *rho;
    for (long at = 0; at < (long)n * n; at++)
        p[at] = r[at] + beta * p[at];
    *rho = next;
}
