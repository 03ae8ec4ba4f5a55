/* Honest. Thread-local scratch for rows that threads share out, more than loaders have room for at fixed offsets. */
static _Thread_local double mine[1 << 15];

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    #pragma omp parallel for schedule(static, 3)
    for (int i = 0; i < m; i++)
        for (int j0 = 0; j0 < n; j0 += 64) {
            int nb = n - j0 < 64 ? n - j0 : 64;
            for (int j = 0; j < nb; j++)
                mine[j] = 0;
            if (alpha != 0)
                for (int p = 0; p < k; p++)
                    for (int j = 0; j < nb; j++)
                        mine[j] += A[(long)i * lda + p] * B[(long)p * ldb + j0 + j];
            for (int j = 0; j < nb; j++) {
                double *c = C + (long)i * ldc + j0 + j;
                *c = alpha * mine[j] + (beta == 0 ? 0 : beta * *c);
            }
        }
}
