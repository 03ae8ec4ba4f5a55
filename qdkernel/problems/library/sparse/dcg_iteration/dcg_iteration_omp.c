/* Rows for the threads in three passes; sums in vectors. */
#define LEAST_PARALLEL 64 /* tune: 16, 64, 256 */

void dcg_iteration(int n, double *restrict x, double *restrict r, double *restrict p, double *restrict q,
                   double *restrict rho)
{
    double along = 0, next = 0;
#pragma omp parallel for schedule(static) reduction(+ : along) if (n >= LEAST_PARALLEL)
    for (int i = 0; i < n; i++) {
        const double *row = p + (long)i * n;
        double *to = q + (long)i * n;
        for (int j = 0; j < n; j++) {
            double sum = 4.5 * row[j];
            sum -= i > 0 ? row[j - n] : 0;
            sum -= i < n - 1 ? row[j + n] : 0;
            sum -= j > 0 ? row[j - 1] : 0;
            sum -= j < n - 1 ? row[j + 1] : 0;
            to[j] = sum;
        }
#pragma omp simd reduction(+ : along)
        for (int j = 0; j < n; j++)
            along += row[j] * to[j];
    }
    double alpha = *rho / along;
#pragma omp parallel for simd schedule(static) reduction(+ : next) if (n >= LEAST_PARALLEL)
    for (long at = 0; at < (long)n * n; at++) {
        x[at] += alpha * p[at];
        r[at] -= alpha * q[at];
        next += r[at] * r[at];
    }
    double beta = next / *rho;
#pragma omp parallel for simd schedule(static) if (n >= LEAST_PARALLEL)
    for (long at = 0; at < (long)n * n; at++)
        p[at] = r[at] + beta * p[at];
    *rho = next;
}
