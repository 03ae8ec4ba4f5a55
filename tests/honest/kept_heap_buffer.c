/* Honest. Allocates its scratch once and keeps it for all later calls. */
#include <stdlib.h>
#include <string.h>

static double *kept;
static size_t size;

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    size_t need = sizeof(double) * ((size_t)k * n + 1);
    if (need > size) {
        free(kept);
        kept = malloc(size = need);
        if (!kept)
            abort();
    }
    if (alpha != 0)
        for (int p = 0; p < k; p++)
            memcpy(kept + (size_t)p * n, B + (long)p * ldb, sizeof(double) * n);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            if (alpha != 0)
                for (int p = 0; p < k; p++)
                    sum += A[(long)i * lda + p] * kept[(size_t)p * n + j];
            C[(long)i * ldc + j] = alpha * sum + (beta == 0 ? 0 : beta * C[(long)i * ldc + j]);
        }
}
