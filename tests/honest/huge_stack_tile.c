/* Honest. Two megabytes of local arrays. */
void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    double panel[512 * 512];
    for (int p0 = 0; p0 < k || p0 == 0; p0 += 512) {
        int kb = k - p0 < 512 ? k - p0 : 512;
        for (int j0 = 0; j0 < n; j0 += 512) {
            int nb = n - j0 < 512 ? n - j0 : 512;
            if (alpha != 0)
                for (int p = 0; p < kb; p++)
                    for (int j = 0; j < nb; j++)
                        panel[p * 512 + j] = B[(long)(p0 + p) * ldb + j0 + j];
            for (int i = 0; i < m; i++)
                for (int j = 0; j < nb; j++) {
                    double *c = C + (long)i * ldc + j0 + j, sum = 0;
                    if (alpha != 0)
                        for (int p = 0; p < kb; p++)
                            sum += A[(long)i * lda + p0 + p] * panel[p * 512 + j];
                    *c = alpha * sum + (p0 ? *c : beta == 0 ? 0 : beta * *c);
                }
        }
    }
}
