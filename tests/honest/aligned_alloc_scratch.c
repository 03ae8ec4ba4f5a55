/* Honest. Packs B into panels of eight columns in memory from aligned_alloc. */
#include <stdlib.h>

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    int panels = (n + 7) / 8;
    double *packed = aligned_alloc(64, sizeof(double) * 8 * ((size_t)panels * k + 1));
    if (!packed)
        abort();
    if (alpha != 0)
        for (int q = 0; q < panels; q++)
            for (int p = 0; p < k; p++)
                for (int t = 0; t < 8; t++)
                    packed[((size_t)q * k + p) * 8 + t] = q * 8 + t < n ? B[(long)p * ldb + q * 8 + t] : 0;
    for (int i = 0; i < m; i++)
        for (int q = 0; q < panels; q++) {
            double sum[8] = {0};
            if (alpha != 0)
                for (int p = 0; p < k; p++)
                    for (int t = 0; t < 8; t++)
                        sum[t] += A[(long)i * lda + p] * packed[((size_t)q * k + p) * 8 + t];
            for (int t = 0; t < 8 && q * 8 + t < n; t++) {
                double *c = C + (long)i * ldc + q * 8 + t;
                *c = alpha * sum[t] + (beta == 0 ? 0 : beta * *c);
            }
        }
    free(packed);
}
