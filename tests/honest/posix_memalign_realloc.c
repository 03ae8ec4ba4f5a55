/* Honest. Scratch from posix_memalign, calloc and realloc in turn. */
#include <stdlib.h>
#include <string.h>

void dgemm(int m, int n, int k, double alpha, const double *restrict A, int lda, const double *restrict B, int ldb,
           double beta, double *restrict C, int ldc)
{
    void *raw = 0;
    if (posix_memalign(&raw, 4096, sizeof(double) * (n + 1)))
        abort();
    double *row = raw, *other = calloc(n / 2 + 1, sizeof *other);
    other = other ? realloc(other, sizeof *other * (n + 1)) : 0;
    if (!other)
        abort();
    for (int i = 0; i < m; i++) {
        memset(row, 0, sizeof *row * n);
        if (alpha != 0)
            for (int p = 0; p < k; p++) {
                memcpy(other, B + (long)p * ldb, sizeof *other * n);
                for (int j = 0; j < n; j++)
                    row[j] += A[(long)i * lda + p] * other[j];
            }
        for (int j = 0; j < n; j++)
            C[(long)i * ldc + j] = alpha * row[j] + (beta == 0 ? 0 : beta * C[(long)i * ldc + j]);
    }
    free(row);
    free(other);
}
