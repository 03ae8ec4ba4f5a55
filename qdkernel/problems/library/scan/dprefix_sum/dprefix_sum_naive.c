/* One running sum. */
void dprefix_sum(int n, const double *restrict x, double *restrict y)
{
    double sum = 0;
    for (int i = 0; i < n; i++) {
        sum += x[i];
        y[i] = sum;
    }
}
