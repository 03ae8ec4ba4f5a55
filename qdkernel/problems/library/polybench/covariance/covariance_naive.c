/* Means first, then one half of the matrix. */
void covariance(int m, int n, const double *restrict data, double *restrict mean, double *restrict result)
{
    for (int j = 0; j < m; j++) {
        mean[j] = 0;
        for (int i = 0; i < n; i++)
            mean[j] += data[i * m + j];
        mean[j] /= n;
    }
    for (int i = 0; i < m; i++)
        for (int j = i; j < m; j++) {
            double sum = 0;
            for (int k = 0; k < n; k++)
                sum += (data[k * m + i] - mean[i]) * (data[k * m + j] - mean[j]);
            result[i * m + j] = sum / (n - 1.0);
            result[j * m + i] = result[i * m + j];
        }
}
