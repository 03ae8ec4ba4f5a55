/* The sum of each thread's part first, then every part from the sum of those before it. */
#define PARTS 64 /* tune: 2, 4, 8, 16, 64, 256 */

void dprefix_sum(int n, const double *restrict x, double *restrict y)
{
    double before[PARTS + 1] = {0};
    int length = n / PARTS + 1;
#pragma omp parallel for schedule(static)
    for (int part = 0; part < PARTS; part++) {
        int end = (part + 1) * length < n ? (part + 1) * length : n;
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int i = part * length; i < end; i++)
            sum += x[i];
        before[part + 1] = sum;
    }
    for (int part = 1; part < PARTS; part++)
        before[part] += before[part - 1];
#pragma omp parallel for schedule(static)
    for (int part = 0; part < PARTS; part++) {
        int end = (part + 1) * length < n ? (part + 1) * length : n;
        double sum = before[part];
        for (int i = part * length; i < end; i++) {
            sum += x[i];
            y[i] = sum;
        }
    }
}
